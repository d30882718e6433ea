// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/socket_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <span>

namespace perch::listener {
namespace {

constexpr std::uint32_t kFileEvents = IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF;
// Of the directory only that it goes: its entries are its neighbours' business.
constexpr std::uint32_t kDirectoryEvents = IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR;

// inotify(7) says with which errno which limit is met.
Error cannot_watch(const std::string& what, int number) {
  std::string text = Error::from_errno(number, what).text();
  if (number == EMFILE) text += "; raise fs.inotify.max_user_instances or the limit of open files";
  if (number == ENOSPC) text += "; raise fs.inotify.max_user_watches";
  return Error::message(std::move(text));
}

std::string proc_path_of(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

}  // namespace

Result<std::unique_ptr<SocketWatch>> SocketWatch::create(Loop& loop, Hearer& hearer) {
  std::unique_ptr<SocketWatch> watch(new SocketWatch(hearer));
  if (auto started = watch->start(loop); !started) {
    return std::unexpected(std::move(started.error()));
  }
  return watch;
}

Result<void> SocketWatch::start(Loop& loop) {
  inotify_ = UniqueFd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify_) return std::unexpected(cannot_watch("inotify", errno));
  epoll_ = UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return fail("epoll");
  auto files = FdWatcher::create(loop, inotify_.get(), [this](Readiness) { on_file_events(); });
  if (!files) return std::unexpected(std::move(files.error()));
  auto sockets = FdWatcher::create(loop, epoll_.get(), [this](Readiness) { on_socket_events(); });
  if (!sockets) return std::unexpected(std::move(sockets.error()));
  file_watcher_ = std::move(*files);
  socket_watcher_ = std::move(*sockets);
  file_watcher_->watch({.readable = true});
  socket_watcher_->watch({.readable = true});
  return {};
}

Result<void> SocketWatch::add(Key key, const Listener& listener) {
  epoll_event wanted{.events = EPOLLRDHUP, .data = {.u64 = key}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener.fd(), &wanted) != 0) {
    return std::unexpected(cannot_watch("watch the socket", errno));
  }
  sockets_[key] = listener.fd();
  const auto& [socket, file, directory, lock, request, claimed, healable] = listener.parts();
  if (!file) return {};
  if (auto added = add_watch(key, file->proc_path(), kFileEvents); !added) return added;
  // Optional: whoever moves the whole directory away is seen at the next news of the file.
  [[maybe_unused]] const auto also =
      add_watch(key, proc_path_of(directory->fd()), kDirectoryEvents);
  return {};
}

Result<void> SocketWatch::add_watch(Key key, const std::string& path, std::uint32_t events) {
  const int watch = ::inotify_add_watch(inotify_.get(), path.c_str(), events);
  if (watch < 0) return std::unexpected(cannot_watch("inotify", errno));
  watches_[watch].insert(key);
  return {};
}

// A descriptor's place in an epoll outlives it as long as workers have the socket: it is taken out
// by hand.
void SocketWatch::remove(Key key) noexcept {
  if (const auto socket = sockets_.find(key); socket != sockets_.end()) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket->second, nullptr);
    sockets_.erase(socket);
  }
  for (auto watch = watches_.begin(); watch != watches_.end();) {
    auto& [number, keys] = *watch;
    const bool was_the_last = keys.erase(key) != 0 && keys.empty();
    if (was_the_last) ::inotify_rm_watch(inotify_.get(), number);
    watch = was_the_last ? watches_.erase(watch) : std::next(watch);
  }
}

void SocketWatch::on_file_events() {
  std::set<Key> touched;
  alignas(inotify_event) std::array<char, 4096> buffer;  // NOLINT: read fills it
  for (;;) {
    const ssize_t got = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (got <= 0) break;
    const auto events = std::span(buffer).first(static_cast<std::size_t>(got));
    for (std::size_t at = 0; at + sizeof(inotify_event) <= events.size();) {
      inotify_event event;  // NOLINT(cppcoreguidelines-pro-type-member-init): copied into
      std::memcpy(&event, events.data() + at, sizeof event);
      at += sizeof event + event.len;
      const bool overflow = (event.mask & IN_Q_OVERFLOW) != 0;
      for (const auto& [watch, keys] : watches_) {
        if (overflow || watch == event.wd) touched.insert(keys.begin(), keys.end());
      }
    }
  }
  for (const Key key : touched) hearer_.on_touched(key);
}

// Level-triggered and for ever true: each is told once.
void SocketWatch::on_socket_events() {
  std::array<epoll_event, 16> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (const epoll_event& event :
       std::span(events).first(count > 0 ? static_cast<std::size_t>(count) : 0)) {
    const Key key = event.data.u64;
    const auto socket = sockets_.find(key);
    if (socket == sockets_.end()) continue;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket->second, nullptr);
    sockets_.erase(socket);
    hearer_.on_shut_down(key);
  }
}

}  // namespace perch::listener
