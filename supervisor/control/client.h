// SPDX-License-Identifier: Apache-2.0
// The asking side of a running perch's control socket, blocking, for the client commands: one
// request and its reply, or a reply that comes line by line and may never end.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch::control {

struct Response {
  int status = 0;  // HTTP status code
  std::string body;
};

// `method` GET or POST. Fails when the socket cannot be reached or does not answer within
// `timeout`.
Result<Response> request(const std::string& socket_path, const std::string& method,
                         const std::string& target, std::chrono::milliseconds timeout);

// Until then a call may block; nothing: for ever.
using Deadline = std::optional<std::chrono::steady_clock::time_point>;

class LineStream {
 public:
  // GET. Fails when the socket cannot be reached or does not begin to answer within `timeout`.
  static Result<LineStream> open(const std::string& socket_path, const std::string& target,
                                 std::chrono::milliseconds timeout);

  // HTTP status code; where it is not 200 the lines are those of the refusal.
  [[nodiscard]] int status() const noexcept { return status_; }
  // The next line without its newline; nothing when the stream has ended. ETIMEDOUT when the
  // deadline has passed; it may be called again.
  Result<std::optional<std::string>> next(Deadline deadline);

 private:
  LineStream(UniqueFd socket, int status, std::string received)
      : socket_(std::move(socket)), status_(status), buffer_(std::move(received)) {}

  UniqueFd socket_;
  int status_;
  std::string buffer_;  // received, not yet given out
};

}  // namespace perch::control
