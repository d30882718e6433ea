// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/client.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "common/http/http_message.h"
#include "common/posix/unix_socket.h"

namespace perch::control {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t kMaxAnswer = 16U << 20U;
constexpr std::size_t kMaxLine = 1U << 20U;
constexpr std::string_view kEndOfHeader = "\r\n\r\n";

// False with EAGAIN when the time is up: a timeout of zero means none.
bool set_timeout(int socket, int option, Deadline deadline) {
  microseconds left{0};
  if (deadline) {
    left = std::chrono::duration_cast<microseconds>(*deadline - steady_clock::now());
    if (left <= microseconds::zero()) {
      errno = EAGAIN;
      return false;
    }
  }
  const timeval time{.tv_sec = left.count() / 1'000'000, .tv_usec = left.count() % 1'000'000};
  return ::setsockopt(socket, SOL_SOCKET, option, &time, sizeof time) == 0;
}

std::unexpected<Error> fail_timed(std::string_view what) {
  return fail(what, errno == EAGAIN ? ETIMEDOUT : errno);
}

// A blocking socket: unix(7) honours SO_SNDTIMEO in connect, too.
Result<UniqueFd> connect_by(const std::string& path, Deadline deadline) {
  auto address = unix_address(path);
  if (!address) return std::unexpected(std::move(address.error()));
  auto socket = unix_socket(SOCK_STREAM, Blocking::Yes);
  if (!socket) return std::unexpected(std::move(socket.error()));
  if (!set_timeout(socket->get(), SO_SNDTIMEO, deadline) ||
      ::connect(socket->get(), address->get(), address->size) != 0) {
    return fail_timed("connect");
  }
  return std::move(*socket);
}

Result<void> send_by(int socket, std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    ssize_t sent = -1;
    if (set_timeout(socket, SO_SNDTIMEO, deadline)) {
      sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
    // A server that refuses early has answered and hung up already: the answer counts.
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return {};
    if (sent < 0 && errno != EINTR) return fail_timed("send");
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

enum class Came { Bytes, End };

// Appends what comes next. A reset after some bytes is an end like any other.
Result<Came> receive_by(int socket, std::string& into, Deadline deadline) {
  std::array<char, 8192> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): recv fills it
  ssize_t got = -1;
  do {
    got = -1;
    if (set_timeout(socket, SO_RCVTIMEO, deadline)) {
      got = ::recv(socket, chunk.data(), chunk.size(), 0);
    }
  } while (got < 0 && errno == EINTR);
  if (got < 0 && (errno != ECONNRESET || into.empty())) return fail_timed("receive");
  if (got <= 0) return Came::End;
  into.append(chunk.data(), static_cast<std::size_t>(got));
  return Came::Bytes;
}

// The connection, asked.
Result<UniqueFd> ask(const std::string& socket_path, const std::string& method,
                     const std::string& target, Deadline deadline) {
  auto socket = connect_by(socket_path, deadline);
  if (!socket) return socket;
  const std::string bytes = method + " " + target +
                            " HTTP/1.1\r\nHost: perch\r\nConnection: close\r\n"
                            "Content-Length: 0\r\n\r\n";
  if (auto sent = send_by(socket->get(), bytes, deadline); !sent) {
    return std::unexpected(std::move(sent.error()));
  }
  return socket;
}

// Reads on until `enough` says so or the other side has ended.
template <class Enough>
Result<std::string> receive_until(int socket, Deadline deadline, Enough enough) {
  std::string all;
  while (!enough(all)) {
    const auto came = receive_by(socket, all, deadline);
    if (!came) return std::unexpected(came.error());
    if (*came == Came::End) break;
    if (all.size() > kMaxAnswer) return fail("receive", EMSGSIZE);
  }
  return all;
}

}  // namespace

Result<Response> request(const std::string& socket_path, const std::string& method,
                         const std::string& target, milliseconds timeout) {
  const Deadline deadline = steady_clock::now() + timeout;
  auto socket = ask(socket_path, method, target, deadline);
  if (!socket) return std::unexpected(std::move(socket.error()));
  auto answer = receive_until(socket->get(), deadline, [](const auto&) { return false; });
  if (!answer) return std::unexpected(std::move(answer.error()));
  auto reply = parse_reply(*answer);
  if (!reply) return std::unexpected(std::move(reply.error()));
  return Response{.status = static_cast<int>(reply->status), .body = std::move(reply->body)};
}

Result<LineStream> LineStream::open(const std::string& socket_path, const std::string& target,
                                    milliseconds timeout) {
  const Deadline deadline = steady_clock::now() + timeout;
  auto socket = ask(socket_path, "GET", target, deadline);
  if (!socket) return std::unexpected(std::move(socket.error()));
  auto received = receive_until(socket->get(), deadline,
                                [](const auto& bytes) { return bytes.contains(kEndOfHeader); });
  if (!received) return std::unexpected(std::move(received.error()));
  const std::size_t header = received->find(kEndOfHeader);
  const std::size_t body = header == std::string::npos ? header : header + kEndOfHeader.size();
  auto status = parse_status(received->substr(0, body));
  if (!status) return std::unexpected(std::move(status.error()));
  received->erase(0, body);
  return LineStream(std::move(*socket), static_cast<int>(*status), std::move(*received));
}

Result<std::optional<std::string>> LineStream::next(Deadline deadline) {
  for (;;) {
    const std::size_t end = buffer_.find('\n');
    if (end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    if (buffer_.size() > kMaxLine) return fail("receive", EMSGSIZE);
    const auto came = receive_by(socket_.get(), buffer_, deadline);
    if (!came) return std::unexpected(came.error());
    if (*came == Came::Bytes) continue;
    if (buffer_.empty()) return std::nullopt;
    return std::exchange(buffer_, {});
  }
}

}  // namespace perch::control
