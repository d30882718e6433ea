// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/client.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "common/posix/unix_socket.h"
#include "supervisor/control/http_message.h"

namespace perch::control {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kMaxAnswer = 16U << 20U;

// A blocking socket whose calls, connect included (unix(7) honours SO_SNDTIMEO there), all end by
// one deadline.
class Exchange {
 public:
  Exchange(UniqueFd socket, milliseconds timeout)
      : socket_(std::move(socket)), deadline_(steady_clock::now() + timeout) {}

  Result<void> connect(const UnixAddress& address) {
    if (!set_timeout(SO_SNDTIMEO) || ::connect(socket_.get(), address.get(), address.size) != 0) {
      return fail_timed("connect");
    }
    return {};
  }

  Result<void> send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t sent = -1;
      if (set_timeout(SO_SNDTIMEO)) {
        sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      }
      // A server that refuses early has answered and hung up already: the answer counts.
      if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return {};
      if (sent < 0 && errno != EINTR) return fail_timed("send");
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
  }

  Result<std::string> receive_all() {
    std::string all;
    std::array<char, 8192> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): recv fills it
    while (all.size() <= kMaxAnswer) {
      ssize_t got = -1;
      if (set_timeout(SO_RCVTIMEO)) got = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && (errno != ECONNRESET || all.empty())) return fail_timed("receive");
      if (got <= 0) return all;
      all.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return fail("receive", EMSGSIZE);
  }

 private:
  // False with EAGAIN when the time is up: a timeout of zero would mean none.
  bool set_timeout(int option) {
    const auto left = std::chrono::duration_cast<microseconds>(deadline_ - steady_clock::now());
    if (left <= microseconds::zero()) {
      errno = EAGAIN;
      return false;
    }
    const timeval time{.tv_sec = left.count() / 1'000'000, .tv_usec = left.count() % 1'000'000};
    return ::setsockopt(socket_.get(), SOL_SOCKET, option, &time, sizeof time) == 0;
  }

  static std::unexpected<Error> fail_timed(std::string_view what) {
    return fail(what, errno == EAGAIN ? ETIMEDOUT : errno);
  }

  UniqueFd socket_;
  steady_clock::time_point deadline_;
};

Result<std::string> exchange(const std::string& socket_path, const std::string& bytes,
                             milliseconds timeout) {
  auto address = unix_address(socket_path);
  if (!address) return std::unexpected(std::move(address.error()));
  auto socket = unix_socket(SOCK_STREAM, Blocking::Yes);
  if (!socket) return std::unexpected(std::move(socket.error()));
  Exchange exchange(std::move(*socket), timeout);
  if (auto connected = exchange.connect(*address); !connected) {
    return std::unexpected(std::move(connected.error()));
  }
  if (auto sent = exchange.send(bytes); !sent) return std::unexpected(std::move(sent.error()));
  return exchange.receive_all();
}

}  // namespace

Result<Response> request(const std::string& socket_path, const std::string& method,
                         const std::string& target, milliseconds timeout) {
  const std::string bytes = method + " " + target +
                            " HTTP/1.1\r\nHost: perch\r\nConnection: close\r\n"
                            "Content-Length: 0\r\n\r\n";
  auto answer = exchange(socket_path, bytes, timeout);
  if (!answer) return std::unexpected(std::move(answer.error()));
  auto reply = parse_reply(*answer);
  if (!reply) return std::unexpected(std::move(reply.error()));
  return Response{.status = static_cast<int>(reply->status), .body = std::move(reply->body)};
}

}  // namespace perch::control
