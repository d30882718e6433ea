// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 messages as values, and the two ways between them and bytes. Sockets are none of its
// business; Boost.Beast is none of anybody else's.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/value/error.h"

namespace perch::control {

struct HttpRequest {
  std::string method;
  std::string target;  // the path, without a query
  bool keep_alive = false;
};

struct HttpReply {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow;  // methods, for 405
};

inline constexpr std::size_t kMaxRequestHeader = 16U << 10U;
inline constexpr std::size_t kMaxRequestBody = 48U << 10U;

// {"error": "why"}
HttpReply refusal(unsigned status, std::string_view why);

// `request` decides whether the body is left out (HEAD) and whether the connection stays open; a
// default one stands for a request that could not be read.
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

}  // namespace perch::control
