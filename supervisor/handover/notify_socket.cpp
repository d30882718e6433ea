// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/notify_socket.h"

#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/posix/fd_passing.h"
#include "common/posix/unix_socket.h"

namespace perch::handover {
namespace {

constexpr int kMessagesPerTurn = 64;
// Children of the worker that send without pause must not keep a drain from its end.
constexpr int kMessagesPerDrain = 4096;

// As the kernel told at exec (getauxval(3)): perch never changes its user.
uid_t own_uid() { return static_cast<uid_t>(::getauxval(AT_EUID)); }

bool try_bind(int socket, const UnixAddress& address) {
  return ::bind(socket, address.get(), address.size) == 0;
}

Result<void> prepare_and_bind(int socket, const std::string& path) {
  auto address = unix_address(path);
  if (!address) return std::unexpected(std::move(address.error()));
  const int yes = 1;
  if (::setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) != 0)
    return fail("SO_PASSCRED");
  // On the socket before it has a name: the file is born with this mode.
  if (::fchmod(socket, 0600) != 0) return fail("fchmod");
  if (try_bind(socket, *address)) return {};
  // Left by a perch that had our pid, as PID 1 always has.
  if (errno != EADDRINUSE || is_abstract(path)) return fail("bind " + path);
  ::unlink(path.c_str());
  return try_bind(socket, *address) ? Result<void>() : fail("bind " + path);
}

Result<void> give_to(uid_t worker, const std::string& path) {
  if (is_abstract(path) || worker == own_uid()) return {};
  if (::lchown(path.c_str(), worker, static_cast<gid_t>(-1)) != 0) return fail("chown " + path);
  return {};
}

// One message is gone, others may wait behind it. Nothing ends a datagram socket that is bound:
// what looks like an end is an empty message.
bool is_only_dropped(ReceiveEnd end) {
  return end == ReceiveEnd::Truncated || end == ReceiveEnd::Closed;
}

}  // namespace

NotifySocket::NotifySocket(UniqueFd socket, std::string path, uid_t worker, OnMessage on_message)
    : socket_(std::move(socket)),
      path_(std::move(path)),
      worker_(worker),
      on_message_(std::make_shared<const OnMessage>(std::move(on_message))) {}

NotifySocket::~NotifySocket() {
  if (!is_abstract(path_)) ::unlink(path_.c_str());
}

Result<std::unique_ptr<NotifySocket>> NotifySocket::open(const std::string& path, uid_t worker,
                                                         OnMessage on_message) {
  auto socket = unix_socket(SOCK_DGRAM, Blocking::No);
  if (!socket) return fail_within("notify socket", std::move(socket.error()));
  if (auto bound = prepare_and_bind(socket->get(), path); !bound) {
    return fail_within("notify socket", std::move(bound.error()));
  }
  std::unique_ptr<NotifySocket> notify(
      new NotifySocket(std::move(*socket), path, worker, std::move(on_message)));
  if (auto given = give_to(worker, path); !given) {
    return fail_within("notify socket", std::move(given.error()));
  }
  return notify;
}

Result<void> NotifySocket::watch(Loop& loop) {
  auto watcher = FdWatcher::create(loop, socket_.get(), [this](Readiness) { on_ready(); });
  if (!watcher) return fail_within("notify socket", std::move(watcher.error()));
  watcher_ = std::move(*watcher);
  watcher_->watch({.readable = true});
  return {};
}

void NotifySocket::on_ready() {
  for (int i = 0; i < kMessagesPerTurn && receive_one(); ++i) {
  }
}

void NotifySocket::drain() {
  for (int i = 0; i < kMessagesPerDrain && receive_one(); ++i) continue;
}

// False when nothing is left, or when the message ended this object.
bool NotifySocket::receive_one() {
  const auto datagram = receive_datagram(socket_.get());
  if (!datagram) return is_only_dropped(datagram.error());
  const bool allowed =
      datagram->sender && (datagram->sender->uid == worker_ || datagram->sender->uid == own_uid());
  const std::shared_ptr on_message = on_message_;
  if (allowed) (*on_message)(NotifyMessage::parse(datagram->payload));
  return on_message.use_count() > 1;
}

}  // namespace perch::handover
