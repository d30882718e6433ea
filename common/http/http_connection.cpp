// SPDX-License-Identifier: Apache-2.0
#include "common/http/http_connection.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace perch {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kChunk = 16U << 10U;
// One client that sends without end gets its share of a turn, not all of it.
constexpr int kReceivesPerTurn = 8;
// Nor does one that sends many requests at once: after so many it has to connect anew.
constexpr int kAnswersPerTurn = 64;
// The loop itself stood still for this long (SIGSTOP, a freezer): not the client's fault.
constexpr milliseconds kLateLoop{1'000};

}  // namespace

Result<std::unique_ptr<HttpConnection>> HttpConnection::create(Loop& loop, UniqueFd socket,
                                                               milliseconds limit, Answer answer,
                                                               std::function<void()> on_closed) {
  std::unique_ptr<HttpConnection> connection(
      new HttpConnection(loop, std::move(socket), limit, std::move(answer), std::move(on_closed)));
  auto watcher = FdWatcher::create(loop, connection->socket_.get(),
                                   [raw = connection.get()](Readiness) { raw->run(); });
  if (!watcher) return std::unexpected(std::move(watcher.error()));
  connection->watcher_ = std::move(*watcher);
  connection->enter(State::Reading);
  return connection;
}

HttpConnection::HttpConnection(Loop& loop, UniqueFd socket, milliseconds limit, Answer answer,
                               std::function<void()> on_closed)
    : socket_(std::move(socket)),
      limit_(limit),
      answer_(std::move(answer)),
      on_closed_(std::move(on_closed)),
      timer_(loop, [this](milliseconds late) { on_timer(late); }) {}

void HttpConnection::run() {
  receives_left_ = kReceivesPerTurn;
  answers_left_ = kAnswersPerTurn;
  Progress progress = Progress::More;
  while (progress == Progress::More) progress = step();
  if (progress == Progress::Closed) close();
}

HttpConnection::Progress HttpConnection::step() {
  switch (state_) {
    case State::Reading:
      return read();
    case State::Writing:
      return write();
    case State::Lingering:
      return linger();
    case State::Streaming:
      return stream();
  }
  return Progress::Closed;
}

HttpConnection::Progress HttpConnection::read() {
  auto request = reader_.feed(input_);
  if (!request) {
    reply(std::move(request.error()), {});
  } else if (*request) {
    if (--answers_left_ <= 0) (*request)->keep_alive = false;
    reply(answer_(**request), **request);
  } else {
    return receive(input_);
  }
  return Progress::More;
}

void HttpConnection::reply(HttpReply reply, const HttpRequest& request) {
  const bool streams = reply.stream && request.method != "HEAD";
  keep_alive_ = keeps_alive(reply, request);
  output_ = to_bytes(reply, request);
  if (streams) stream_ = std::move(reply.stream);
  enter(streams ? State::Streaming : State::Writing);
}

HttpConnection::Progress HttpConnection::send() {
  const ssize_t sent =
      ::send(socket_.get(), output_.data(), output_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno == EAGAIN) return Progress::Blocked;
  if (sent < 0 && errno != EINTR) return Progress::Closed;
  if (sent > 0) output_.erase(0, static_cast<std::size_t>(sent));
  return Progress::More;
}

HttpConnection::Progress HttpConnection::write() {
  const Progress sent = send();
  if (sent != Progress::More || !output_.empty()) return sent;
  if (keep_alive_) {
    reader_ = RequestReader();
    enter(State::Reading);
  } else {
    ::shutdown(socket_.get(), SHUT_WR);
    enter(State::Lingering);
  }
  return Progress::More;
}

HttpConnection::Progress HttpConnection::linger() {
  std::string unread;
  return receive(unread);
}

HttpConnection::Progress HttpConnection::stream() {
  // What a follower says does not matter; that he hung up does.
  std::string unread;
  if (const Progress heard = receive(unread); heard != Progress::Blocked) return heard;
  if (!stream_->pull(output_)) return Progress::Closed;
  const Progress sent = output_.empty() ? Progress::Blocked : send();
  if (sent == Progress::Blocked) watcher_->watch({.readable = true, .writable = !output_.empty()});
  return sent;
}

HttpConnection::Progress HttpConnection::receive(std::string& into) {
  if (receives_left_ == 0) return Progress::Blocked;
  --receives_left_;
  std::array<char, kChunk> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): recv fills it
  const ssize_t got = ::recv(socket_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (got < 0 && errno == EINTR) return Progress::More;
  if (got < 0 && errno == EAGAIN) return Progress::Blocked;
  if (got <= 0) return Progress::Closed;
  // Idle time is not the request's.
  if (state_ == State::Reading && !reader_.started() && into.empty()) timer_.arm(limit_);
  into.append(chunk.data(), static_cast<std::size_t>(got));
  return Progress::More;
}

void HttpConnection::enter(State state) {
  state_ = state;
  const bool sending = state == State::Writing;
  watcher_->watch({.readable = !sending, .writable = sending});
  if (state != State::Streaming) return timer_.arm(limit_);
  timer_.disarm();
  stream_->on_more([this] { timer_.arm(std::chrono::nanoseconds::zero()); });
}

void HttpConnection::on_timer(milliseconds late) {
  if (state_ == State::Streaming) return run();
  if (late > kLateLoop) return timer_.arm(limit_);
  const bool half_a_request = reader_.started() || !input_.empty();
  if (state_ != State::Reading || !half_a_request) return close();
  reply(refusal(408, "the request did not arrive in time"), {});
  run();
}

void HttpConnection::close() {
  const auto on_closed = std::move(on_closed_);
  on_closed();
}

}  // namespace perch
