// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 messages as values, and the two ways between them and bytes. Sockets are none of its
// business; Boost.Beast is none of anybody else's.
#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/value/error.h"

namespace perch {

struct HttpRequest {
  std::string method;
  std::string target;  // the path, without a query
  std::string query;   // what stands behind the '?'
  bool keep_alive = false;
};

// A body without a length: it goes on until one of both sides hangs up.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // Appends some of what there is to send by now, and nothing where `into` already holds much.
  // False: it is over, whatever `into` holds.
  virtual bool pull(std::string& into) = 0;
  // `tell` is called whenever there is more, for as long as the stream lives. It does not pull.
  virtual void on_more(std::function<void()> tell) = 0;
};

struct HttpReply {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::string allow{};                   // methods, for 405
  std::unique_ptr<BodyStream> stream{};  // instead of `body`
};

inline constexpr std::size_t kMaxRequestHeader = 16U << 10U;
inline constexpr std::size_t kMaxRequestBody = 48U << 10U;

// {"error": "why"}
HttpReply refusal(unsigned status, std::string_view why);

// Whether another request may come on the connection: not after a stream, whose end is the
// connection's, nor from somebody who may not ask.
bool keeps_alive(const HttpReply& reply, const HttpRequest& request);

// `request` decides whether the body is left out (HEAD); a default one stands for a request that
// could not be read. Of a stream's reply only the header is made.
std::string to_bytes(const HttpReply& reply, const HttpRequest& request);

// One request, fed as its bytes come.
class RequestReader {
 public:
  RequestReader();
  ~RequestReader();
  RequestReader(RequestReader&&) noexcept;
  RequestReader& operator=(RequestReader&&) noexcept;

  // Takes what belongs to the request from the front of `bytes`. The request once it is whole;
  // nothing while more is needed: call again with the rest and what has come since. An error is
  // the reply to give before hanging up: 400, 413 or 431.
  std::expected<std::optional<HttpRequest>, HttpReply> feed(std::string& bytes);
  // Some of it has been taken.
  [[nodiscard]] bool started() const;

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

// The whole of what a server sent before it closed.
Result<HttpReply> parse_reply(std::string_view bytes);
// The status of a reply of which this is the header, up to its empty line.
Result<unsigned> parse_status(std::string_view header);

}  // namespace perch
