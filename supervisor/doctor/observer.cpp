// SPDX-License-Identifier: Apache-2.0
#include "supervisor/doctor/observer.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

#include "common/posix/unix_socket.h"
#include "supervisor/handover/call_memory.h"
#include "supervisor/handover/intercept_targets.h"
#include "supervisor/listener/owner_probe.h"

namespace perch::doctor {
namespace {

using handover::Answer;
using handover::TargetProcess;
using Kind = SocketCall::Kind;
namespace call = handover::call;

// A command that does nothing else is not worth looking at for ever.
constexpr std::size_t kMostCalls = 10'000;

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

// A socket that somebody listens on or holds.
bool is_alive(const std::string& path) {
  auto file =
      listener::PinnedFile::of(UniqueFd(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)));
  return file && file->is_socket() &&
         listener::probe_owner(*file).liveness == listener::Liveness::Live;
}

// As far as it is one of the internet's: both families have it at the same place.
std::optional<std::uint16_t> port_in(std::span<const std::byte> address) {
  sockaddr_in internet{};
  if (address.size() < sizeof internet) return std::nullopt;
  std::memcpy(&internet, address.data(), sizeof internet);
  return ntohs(internet.sin_port);
}

}  // namespace

Result<std::unique_ptr<Observer>> Observer::watch(Loop& loop, UniqueFd notify,
                                                  std::function<void()> on_call) {
  auto notifications = handover::Notifications::open(std::move(notify));
  if (!notifications) return std::unexpected(std::move(notifications.error()));
  std::unique_ptr<Observer> observer(new Observer(std::move(*notifications), std::move(on_call)));
  auto watcher = FdWatcher::create(loop, observer->notifications_.fd(),
                                   [&self = *observer](Readiness) { self.on_ready(); });
  if (!watcher) return std::unexpected(std::move(watcher.error()));
  observer->watcher_.emplace(std::move(*watcher));
  observer->watcher_->watch({.readable = true});
  return observer;
}

void Observer::on_ready() {
  using State = handover::Notifications::State;
  if (notifications_.state() == State::Ended) return watcher_->stop();
  if (notifications_.state() != State::Waiting) return;
  const auto notification = notifications_.receive();
  if (!notification) return;
  [[maybe_unused]] const auto told = notifications_.answer(notification->id, look(*notification));
  on_call_();
}

Answer Observer::look(const handover::Notification& notification) {
  if (calls_.size() >= kMostCalls) return Answer::by_kernel();
  TargetProcess process(static_cast<pid_t>(notification.pid));
  if (auto opened = process.open_memory(); !opened) {
    if (blindness_.empty() && handover::is_denial(opened.error())) {
      blindness_ = opened.error().text();
    }
    return Answer::by_kernel();
  }
  const auto data = handover::read_arguments(process, notification.data);
  auto call = data ? understand(process, *data) : std::nullopt;
  if (!call) return Answer::by_kernel();
  call->pid = process.thread();
  call->while_stopping = stopping_;
  if (would_take(*call)) {
    spared_.push_back(call->kind == Kind::Rename ? call->new_path : call->path);
    return Answer::refused(EBUSY);
  }
  for (auto& [inode, path] : bound_) {
    if (call->kind == Kind::Rename && path == call->path) path = call->new_path;
  }
  calls_.push_back(std::move(*call));
  return Answer::by_kernel();
}

std::optional<SocketCall> Observer::understand(TargetProcess& process, const seccomp_data& data) {
  return std::visit(
      Overloaded{
          [](const call::Other&) { return std::optional<SocketCall>(); },
          [&](const call::Bind& asked) { return bind(process, asked); },
          [&](const call::Connect& asked) -> std::optional<SocketCall> {
            const auto name = handover::read_name(process, asked.address);
            const auto* path = name ? std::get_if<handover::PathName>(&*name) : nullptr;
            if (path == nullptr) return std::nullopt;
            return SocketCall{.kind = Kind::Connect,
                              .path = absolute(process, AT_FDCWD, path->path)};
          },
          [&](const call::Listen& asked) {
            auto seen = of_descriptor(process, Kind::Listen, asked.fd);
            if (seen) seen->backlog = static_cast<int>(data.args[1]);
            return seen;
          },
          [&](const call::Shutdown& asked) {
            return of_descriptor(process, Kind::Shutdown, asked.fd);
          },
          [&](const call::Unlink& asked) { return with_path(process, Kind::Unlink, asked.path); },
          [&](const call::Rename& asked) {
            auto seen = with_path(process, Kind::Rename, asked.from);
            const auto to = with_path(process, Kind::Rename, asked.to);
            if (!seen || !to) return std::optional<SocketCall>();
            seen->new_path = to->path;
            return seen;
          },
          [&](const call::Chmod& asked) {
            auto seen = with_path(process, Kind::Chmod, asked.path);
            // chmod(path, mode); fchmodat(directory, path, mode).
            const bool at = data.args[1] == asked.path.at;
            if (seen) seen->mode = static_cast<mode_t>(data.args[at ? 2 : 1] & 07777U);
            return seen;
          }},
      handover::decode(data));
}

std::optional<SocketCall> Observer::bind(TargetProcess& process, const call::Bind& asked) {
  const auto name = handover::read_name(process, asked.address);
  if (!name) return std::nullopt;
  SocketCall seen{.kind = Kind::Bind};
  const auto socket = process.copy_descriptor(asked.fd);
  if (socket) seen.type = socket_option(socket->get(), SO_TYPE).value_or(0);
  if (const auto* path = std::get_if<handover::PathName>(&*name)) {
    seen.path = absolute(process, AT_FDCWD, path->path);
  } else if (const auto* abstract = std::get_if<handover::AbstractName>(&*name)) {
    seen.path = "@" + abstract->bytes;
  } else if (std::holds_alternative<handover::InternetName>(*name)) {
    if (seen.type != SOCK_STREAM) return std::nullopt;
    std::array<std::byte, sizeof(sockaddr_in)> address{};
    if (!process.read(asked.address.at, address)) return std::nullopt;
    seen.tcp_port = port_in(address);
    seen.reuse_address = socket_option(socket->get(), SO_REUSEADDR).value_or(0) != 0;
    return seen;
  }
  // An empty name is the kernel's to choose.
  if (seen.path.size() < 2) return std::nullopt;
  if (const auto inode = process.socket_inode(asked.fd)) bound_[*inode] = seen.path;
  return seen;
}

std::optional<SocketCall> Observer::of_descriptor(TargetProcess& process, Kind kind, int fd) {
  const auto inode = process.socket_inode(fd);
  const auto known = inode ? bound_.find(*inode) : bound_.end();
  if (known == bound_.end()) return std::nullopt;
  return SocketCall{.kind = kind, .path = known->second};
}

std::optional<SocketCall> Observer::with_path(TargetProcess& process, Kind kind,
                                              const handover::PathArgument& argument) {
  const auto path = process.read_text(argument.at);
  if (!path || path->empty()) return std::nullopt;
  return SocketCall{.kind = kind, .path = absolute(process, argument.base, *path)};
}

// As the process names it, where its directory cannot be looked up.
std::string Observer::absolute(TargetProcess& process, int base, const std::string& path) {
  const auto place = handover::find_place(process, base, path);
  if (!place) return path;
  std::error_code error;
  const auto directory = std::filesystem::read_symlink(
      "/proc/self/fd/" + std::to_string(place->directory.get()), error);
  return error ? path : (directory / place->name).string();
}

// Not those that this command has bound itself.
bool Observer::would_take(const SocketCall& call) const {
  const std::string& path = call.kind == Kind::Rename ? call.new_path : call.path;
  if (call.kind != Kind::Unlink && call.kind != Kind::Rename) return false;
  const bool own =
      std::ranges::any_of(bound_, [&](const auto& known) { return known.second == path; });
  return !own && is_alive(path);
}

}  // namespace perch::doctor
