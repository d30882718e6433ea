// SPDX-License-Identifier: Apache-2.0
#include "supervisor/inherited_output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>

namespace perch {
namespace {

// No O_APPEND or offset is lost here: only pipes and character devices are opened again.
UniqueFd open_again(int fd) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return UniqueFd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

ssize_t refuse_with(int number) {
  errno = number;
  return -1;
}

}  // namespace

InheritedOutput::InheritedOutput(int fd) : fd_(fd), way_(way_for(fd, own_)) {}

InheritedOutput::Way InheritedOutput::way_for(int fd, UniqueFd& own) {
  struct stat about{};
  if (::fstat(fd, &about) != 0) return Way::Closed;
  if (S_ISSOCK(about.st_mode)) return Way::Socket;
  if (!S_ISFIFO(about.st_mode) && !S_ISCHR(about.st_mode)) return Way::Plain;
  own = open_again(fd);
  // EACCES: it belongs to another user. ENOENT: there is no /proc.
  return own ? Way::OwnDescription : Way::NoWait;
}

int InheritedOutput::pollable() const noexcept {
  if (way_ == Way::Closed) return -1;
  return own_ ? own_.get() : fd_;
}

ssize_t InheritedOutput::write_some(std::string_view text) {
  switch (way_) {
    case Way::Closed:
      return refuse_with(EBADF);
    case Way::Plain:
      return ::write(fd_, text.data(), text.size());
    case Way::OwnDescription:
      return ::write(own_.get(), text.data(), text.size());
    case Way::Socket:
      return ::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Way::NoWait:
      return write_no_wait(text);
    case Way::AfterPoll:
      return write_after_poll(text);
  }
  return refuse_with(EBADF);
}

ssize_t InheritedOutput::write_no_wait(std::string_view text) {
  const iovec part{const_cast<char*>(text.data()), text.size()};  // NOLINT: iovec has no const
  const ssize_t wrote = ::pwritev2(fd_, &part, 1, -1, RWF_NOWAIT);
  if (wrote >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS)) return wrote;
  // Terminals have no RWF_NOWAIT, pipes only since Linux 6.5.
  way_ = Way::AfterPoll;
  return write_after_poll(text);
}

// A pipe that polls writable takes PIPE_BUF bytes at once (pipe(7)), unless another writer is
// faster: the next best thing where neither of the sure ways exists.
ssize_t InheritedOutput::write_after_poll(std::string_view text) const {
  pollfd waiting{.fd = fd_, .events = POLLOUT, .revents = 0};
  if (::poll(&waiting, 1, 0) == 0) return refuse_with(EAGAIN);
  return ::write(fd_, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
}

}  // namespace perch
