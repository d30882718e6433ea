// SPDX-License-Identifier: Apache-2.0
#include "supervisor/non_blocking_writer.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

namespace perch {
namespace {

// A pipe takes PIPE_BUF bytes whole or not at all (pipe(7)). Lines up to that length are never torn
// by another writer to the same pipe, however slowly it is read.
std::string_view whole_lines(std::string_view text) {
  if (text.size() <= PIPE_BUF) return text;
  const std::size_t end = text.rfind('\n', PIPE_BUF - 1);
  return text.substr(0, end == std::string_view::npos ? PIPE_BUF : end + 1);
}

}  // namespace

NonBlockingWriter::NonBlockingWriter(int fd, std::size_t capacity)
    : output_(fd), capacity_(capacity) {}

std::size_t NonBlockingWriter::room() const noexcept {
  return capacity_ - (buffer_.size() - start_);
}

bool NonBlockingWriter::write(std::string_view record) {
  flush();
  if (record.size() > room()) return false;
  if (!pending()) {
    const auto taken = push(record);
    if (!taken) return false;
    record.remove_prefix(*taken);
  }
  if (record.empty()) return true;
  const bool was_pending = pending();
  buffer_.append(record);
  if (!was_pending) rearm();
  return true;
}

void NonBlockingWriter::flush() {
  if (!pending()) return;
  const auto taken = push(std::string_view(buffer_).substr(start_));
  if (taken) {
    start_ += *taken;
  } else {
    const auto rest = std::string_view(buffer_).substr(start_);
    discarded_lines_ += static_cast<std::uint64_t>(std::ranges::count(rest, '\n'));
    start_ = buffer_.size();
  }
  settle();
}

// As much as the descriptor takes now; an errno when it takes nothing any more.
std::expected<std::size_t, int> NonBlockingWriter::push(std::string_view text) {
  std::size_t taken = 0;
  while (taken < text.size()) {
    const ssize_t wrote = output_.write_some(whole_lines(text.substr(taken)));
    if (wrote > 0) {
      taken += static_cast<std::size_t>(wrote);
    } else if (wrote == 0 || errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      return std::unexpected(errno);
    }
  }
  return taken;
}

// Forgets what is written; the memory itself goes only when all is.
void NonBlockingWriter::settle() {
  if (!pending()) {
    std::string().swap(buffer_);
    start_ = 0;
    rearm();
  } else if (start_ > buffer_.size() / 2) {
    buffer_.erase(0, std::exchange(start_, 0));
  }
}

Result<void> NonBlockingWriter::attach(Loop& loop, std::function<void()> on_drained) {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail("epoll_create1");
  epoll_event wanted{.events = EPOLLOUT, .data = {}};
  // EPERM, EBADF: files and closed descriptors never make anybody wait.
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, output_.pollable(), &wanted) != 0) return {};
  auto watcher = FdWatcher::create(loop, epoll.get(), [this](Readiness) {
    flush();
    if (!pending() && on_drained_) on_drained_();
  });
  if (!watcher) return std::unexpected(std::move(watcher.error()));
  detach();
  on_drained_ = std::move(on_drained);
  epoll_ = std::move(epoll);
  watcher_ = std::move(*watcher);
  if (pending()) rearm();
  return {};
}

void NonBlockingWriter::detach() {
  watcher_.reset();
  epoll_.reset();
}

void NonBlockingWriter::rearm() {
  if (!watcher_) return;
  pending() ? watcher_->watch({.readable = true}) : watcher_->stop();
}

}  // namespace perch
