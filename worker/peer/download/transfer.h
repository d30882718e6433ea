// SPDX-License-Identifier: Apache-2.0
// Transfer: one GET to an origin, of a file or of a range of it. Begins when it is made, ends when
// it is destroyed. It follows redirects, speaks http and https only, and gives up on an origin that
// stays silent.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "worker/peer/download/curl_loop.h"
#include "worker/peer/download/origin_answer.h"

struct curl_slist;

namespace perch::peer {

// What is asked of the origin besides the range.
struct OriginRequest {
  std::string url;
  std::map<std::string, std::string> headers;
};

class Transfer {
 public:
  enum class Next { Go, Abort };
  struct Handlers {
    // A part of the body, with the answer it belongs to. Called from inside curl: it may not
    // destroy any Transfer. After Abort, on_end follows.
    std::function<Next(const OriginAnswer&, std::span<const std::byte>)> on_data;
    // Once, at the end; `problem` is empty when the answer is whole. May destroy the Transfer.
    std::function<void(const OriginAnswer&, const std::string& problem)> on_end;
  };

  Transfer(CurlLoop& curl, const OriginRequest& request, std::optional<ByteRange> range,
           Handlers handlers);
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

 private:
  struct Callbacks;
  struct Free {
    void operator()(void* easy) const noexcept;
    void operator()(curl_slist* list) const noexcept;
  };
  void configure(const OriginRequest& request, std::optional<ByteRange> range);
  void end(int code);

  CurlLoop& curl_;
  Handlers handlers_;
  OriginAnswer answer_;
  std::string error_;  // curl writes its message here
  std::unique_ptr<curl_slist, Free> headers_;
  std::unique_ptr<void, Free> easy_;
  bool running_ = false;
};

}  // namespace perch::peer
