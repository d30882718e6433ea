// SPDX-License-Identifier: Apache-2.0
// Transfer: one GET to an origin, of a file or of a range of it. Begins when it is made, ends when
// it is destroyed. It follows redirects, speaks http and https only, and gives up on an origin that
// stays silent or drips. Credentials of a request (Authorization, Cookie, those in the URL) go to
// the host that it names and to no other that it is redirected to. What it holds in memory is
// bounded: one buffer of the body, which it never decodes, and 64 KiB of header fields.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "worker/peer/download/curl_loop.h"
#include "worker/peer/download/download_options.h"
#include "worker/peer/download/failure.h"
#include "worker/peer/download/origin_answer.h"

struct curl_slist;

namespace perch::peer {

// What callers ask for.
struct OriginRequest {
  std::string url;
  std::map<std::string, std::string> headers;
};

// Which part of it, and of which version: a validator, for If-Range; empty: any.
struct Part {
  ByteRange range;
  std::string version;
};

class Transfer {
 public:
  enum class Next { Go, Wait, Abort };
  struct Handlers {
    // A part of the body, with the answer it belongs to. Called from inside curl: it may not
    // destroy any Transfer. After Wait it comes again when resume() is called; after Abort, on_end
    // follows.
    std::function<Next(const OriginAnswer&, std::span<const std::byte>)> on_data;
    // Once, at the end; no problem when the answer is whole. May destroy the Transfer.
    std::function<void(const OriginAnswer&, const std::optional<Failure>& problem)> on_end;
  };

  // All but the handlers is copied.
  Transfer(CurlLoop& curl, const DownloadOptions& options, const OriginRequest& request,
           const std::optional<Part>& part, Handlers handlers);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  void resume();

 private:
  struct Callbacks;
  struct Free {
    void operator()(void* easy) const noexcept;
    void operator()(curl_slist* list) const noexcept;
  };
  void set_request(const OriginRequest& request, const std::optional<Part>& part);
  void set_way(const DownloadOptions& options);
  void set_callbacks();
  bool take_header(std::string_view line);
  void end(int code);
  [[nodiscard]] Failure problem_of(int code) const;

  CurlLoop& curl_;
  Handlers handlers_;
  OriginAnswer answer_;
  std::string error_;  // curl writes its message here
  std::unique_ptr<curl_slist, Free> headers_;
  std::unique_ptr<void, Free> easy_;
  std::size_t header_bytes_ = 0;
  bool in_body_ = false;
  bool running_ = false;
};

}  // namespace perch::peer
