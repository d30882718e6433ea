// SPDX-License-Identifier: Apache-2.0
// Client: one connection to a Unix socket, and what went over it. It speaks lines: a request line
// is answered by one reply line. Nothing here throws or fails a test; the results say what was.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/value/unique_fd.h"
#include "tests/support/wait_until.h"

namespace perch::test {

class Client {
 public:
  // Blocking; error() is connect's errno, 0 when it went well.
  explicit Client(const std::string& path);

  [[nodiscard]] int error() const noexcept { return error_; }
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  bool send(std::string_view bytes);
  // The next line without its end; nothing on end of file, reset or after `limit`.
  std::optional<std::string> line(std::chrono::milliseconds limit = kPatience);
  // Whatever comes next; empty on end of file, reset or after `limit`.
  std::string some(std::chrono::milliseconds limit = kPatience);

 private:
  UniqueFd fd_;
  int error_ = 0;
  std::string buffer_;
};

// What a test-worker says: who answers, and the answer.
struct Reply {
  pid_t pid = 0;  // in the worker's own pid namespace
  std::uint64_t generation = 0;
  std::string text;
};
std::optional<Reply> parse_reply(std::string_view line);
// One connection, one request, one reply.
std::optional<Reply> ask(const std::string& path, std::string_view request,
                         std::chrono::milliseconds limit = kPatience);
// Asks until a generation after `last` answers; throws when none does.
Reply ask_newer(const std::string& path, std::uint64_t last, std::string_view request = "ping");

// HTTP/1.1 with one request per connection; status 0 when the server could not be reached.
struct HttpAnswer {
  int status = 0;
  std::string body;
};
HttpAnswer http(const std::string& socket_path, std::string_view method, std::string_view target);

}  // namespace perch::test
