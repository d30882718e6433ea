// SPDX-License-Identifier: Apache-2.0
#include "tests/support/client.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <sstream>
#include <stdexcept>

#include "common/posix/unix_socket.h"

namespace perch::test {

using Clock = std::chrono::steady_clock;

Client::Client(const std::string& path) {
  auto connected = unix_connect(path, SOCK_STREAM, Blocking::Yes);
  if (connected) {
    fd_ = std::move(*connected);
  } else {
    error_ = connected.error().code().value();
  }
}

bool Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR) return false;
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string Client::some(std::chrono::milliseconds limit) {
  pollfd wanted{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&wanted, 1, static_cast<int>(limit.count())) != 1) return "";
  std::array<char, 65536> chunk;
  const ssize_t got = ::recv(fd_.get(), chunk.data(), chunk.size(), 0);
  return got > 0 ? std::string(chunk.data(), static_cast<std::size_t>(got)) : "";
}

std::optional<std::string> Client::line(std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  for (;;) {
    if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    const std::string bytes = some(std::max(left, std::chrono::milliseconds(0)));
    if (bytes.empty()) return std::nullopt;
    buffer_ += bytes;
  }
}

std::optional<Reply> parse_reply(std::string_view line) {
  Reply reply;
  std::istringstream words{std::string(line)};
  if (!(words >> reply.generation >> reply.pid)) return std::nullopt;
  words.get();
  std::getline(words, reply.text);
  return reply;
}

std::optional<Reply> ask(const std::string& path, std::string_view request,
                         std::chrono::milliseconds limit) {
  Client client(path);
  if (client.error() != 0 || !client.send(std::string(request) + "\n")) return std::nullopt;
  const auto line = client.line(limit);
  return line ? parse_reply(*line) : std::nullopt;
}

Reply ask_newer(const std::string& path, std::uint64_t last, std::string_view request) {
  std::optional<Reply> reply;
  const bool answered = wait_until([&] {
    reply = ask(path, request);
    return reply && reply->generation > last;
  });
  if (!answered) throw std::runtime_error("no newer generation answers on " + path);
  return *reply;
}

HttpAnswer http(const std::string& socket_path, std::string_view method, std::string_view target) {
  Client client(socket_path);
  std::string request(method);
  request.append(" ").append(target).append(
      " HTTP/1.1\r\nHost: perch\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  if (client.error() != 0 || !client.send(request)) return {};
  std::string text;
  for (std::string bytes = client.some(); !bytes.empty(); bytes = client.some()) text += bytes;
  const std::size_t head = text.find("\r\n\r\n");
  const std::size_t space = text.find(' ');
  if (head == std::string::npos || space > head) return {};
  HttpAnswer answer{.status = 0, .body = text.substr(head + 4)};
  std::from_chars(text.data() + space + 1, text.data() + head, answer.status);
  return answer;
}

}  // namespace perch::test
