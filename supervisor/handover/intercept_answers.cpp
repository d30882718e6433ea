// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/intercept_answers.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ranges>
#include <utility>

#include "supervisor/handover/call_memory.h"
#include "supervisor/handover/daemon_socket.h"
#include "supervisor/handover/socket_name.h"

namespace perch::handover {
namespace {

// A daemon renames a socket soon after it bound it; a worker that binds without end costs no more.
constexpr std::size_t kMaxTemporaries = 64;
// Their callers ask again as soon as their signal handler returns.
constexpr std::size_t kMaxUndelivered = 16;

bool is_socket(const Place& place) {
  struct stat found{};
  return ::fstatat(place.directory.get(), place.name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISSOCK(found.st_mode);
}

}  // namespace

InterceptAnswers::InterceptAnswers(Notifications& notifications, InterceptSettings settings,
                                   Tell tell)
    : notifications_(notifications),
      targets_(std::move(settings.targets)),
      probe_guard_(settings.probe_guard),
      tcp_reuse_address_(settings.tcp_reuse_address),
      tell_(std::move(tell)) {}

// A caller in a pid namespace that perch does not see has no number.
Answer InterceptAnswers::to(const Notification& notification) {
  done_.reset();
  if (notification.pid == 0) return Answer::by_kernel();
  Caller caller{.id = notification.id,
                .process = TargetProcess(static_cast<pid_t>(notification.pid))};
  const auto data = read_arguments(caller.process, notification.data);
  if (!data) return give_up(caller, call::Other{}, data.error());
  const InterceptedCall call = decode(*data);
  const Outcome outcome = std::visit([&](const auto& asked) { return on(caller, asked); }, call);
  return outcome ? *outcome : give_up(caller, call, outcome.error());
}

InterceptAnswers::Outcome InterceptAnswers::on(Caller& /*caller*/, const call::Other& /*other*/) {
  return Answer::by_kernel();
}

InterceptAnswers::Outcome InterceptAnswers::on(Caller& caller, const call::Bind& bind) {
  const auto name = read_name(caller.process, bind.address);
  if (!name) return std::unexpected(name.error());
  if (std::holds_alternative<InternetName>(*name)) return reuse(caller, bind.fd);
  const auto entry = targets_.find(caller.process, *name);
  if (!entry) return std::unexpected(entry.error());
  if (*entry == nullptr) {
    if (const auto* const path = std::get_if<PathName>(&*name)) {
      remember(caller, bind.fd, path->path);
    }
    return Answer::by_kernel();
  }
  const Done done{.thread = caller.process.thread(), .fd = bind.fd, .renamed = {}};
  const auto ours = targets_.find_descriptor(caller.process, bind.fd);
  if (!ours) return std::unexpected(ours.error());
  // Else it is bound twice: an error of the daemon's, which the kernel tells it.
  if (*ours != nullptr) return was_done(done) ? Answer::done() : Answer::by_kernel();
  const auto swapped = swap(caller, bind.fd, **entry);
  if (!swapped) return std::unexpected(swapped.error());
  if (!*swapped) return Answer::by_kernel();
  done_ = done;
  return Answer::done();
}

// Daemons that look for a live owner of their path before they bind it (lighttpd) would find perch.
InterceptAnswers::Outcome InterceptAnswers::on(Caller& caller, const call::Connect& connect) {
  if (!probe_guard_ || all_bound()) return Answer::by_kernel();
  const auto name = read_name(caller.process, connect.address);
  if (!name) return std::unexpected(name.error());
  const auto entry = targets_.find(caller.process, *name);
  if (!entry) return std::unexpected(entry.error());
  if (*entry == nullptr || (*entry)->bound) return Answer::by_kernel();
  ++counts_.probes;
  return Answer::refused(ECONNREFUSED);
}

// The listener listens already. So its backlog stays as large as configured, and its clients see
// perch as their peer, whichever generation serves them; or both are to be as the worker says.
InterceptAnswers::Outcome InterceptAnswers::on(Caller& caller, const call::Listen& listen) {
  const auto entry = targets_.find_descriptor(caller.process, listen.fd);
  if (!entry) return std::unexpected(entry.error());
  if (*entry == nullptr || (*entry)->target.worker_listens) return Answer::by_kernel();
  ++counts_.listens;
  return Answer::done();
}

// It would end the listener for good, for all who share it.
InterceptAnswers::Outcome InterceptAnswers::on(Caller& caller, const call::Shutdown& shutdown) {
  const auto entry = targets_.find_descriptor(caller.process, shutdown.fd);
  if (!entry) return std::unexpected(entry.error());
  if (*entry == nullptr) return Answer::by_kernel();
  ++counts_.shutdowns;
  return Answer::done();
}

InterceptAnswers::Outcome InterceptAnswers::on(Caller& caller, const call::Unlink& unlink) {
  const auto entry = find(caller, unlink.path);
  if (!entry) return std::unexpected(entry.error());
  if (*entry == nullptr) return Answer::by_kernel();
  ++counts_.unlinks;
  return Answer::done();
}

InterceptAnswers::Outcome InterceptAnswers::on(Caller& caller, const call::Rename& rename) {
  const auto from = find(caller, rename.from);
  if (!from) return std::unexpected(from.error());
  if (*from != nullptr) {
    ++counts_.renames;
    return Answer::done();
  }
  const auto to = find(caller, rename.to);
  if (!to) return std::unexpected(to.error());
  return *to == nullptr ? Answer::by_kernel() : take_over(caller, rename.from, **to);
}

InterceptAnswers::Outcome InterceptAnswers::on(Caller& caller, const call::Chmod& chmod) {
  const auto entry = find(caller, chmod.path);
  if (!entry) return std::unexpected(entry.error());
  if (*entry == nullptr || !(*entry)->target.mode_is_set) return Answer::by_kernel();
  ++counts_.chmods;
  return Answer::done();
}

InterceptTargets::Found InterceptAnswers::find(Caller& caller, const PathArgument& path) {
  const auto text = caller.process.read_text(path.at);
  if (!text) return std::unexpected(text.error());
  return targets_.find(caller.process, path.base, *text);
}

InterceptAnswers::Outcome InterceptAnswers::reuse(const Caller& caller, int fd) {
  if (!tcp_reuse_address_) return Answer::by_kernel();
  const auto socket = DaemonSocket::look_at(caller.process, fd);
  if (!socket) return std::unexpected(socket.error());
  if (!notifications_.still_waits(caller.id)) return fail("notification", ESRCH);
  const auto reused = socket->reuse_address();
  if (!reused) return std::unexpected(reused.error());
  if (*reused) ++counts_.reused;
  return Answer::by_kernel();
}

Result<bool> InterceptAnswers::swap(const Caller& caller, int fd, Entry& entry) {
  const auto socket = DaemonSocket::look_at(caller.process, fd);
  if (!socket) return std::unexpected(socket.error());
  const std::string what = "binds " + entry.target.path + " (listener " + entry.target.name + ") ";
  if (!socket->is_stream()) {
    tell(caller, what + "by a socket that is no stream: it cannot have the listener; leave this " +
                     "path to the daemon, or give the listener another one");
    return false;
  }
  // Whatever was read until here was the caller's only if it still waits.
  if (!notifications_.still_waits(caller.id)) return fail("notification", ESRCH);
  if (auto lent = socket->lend_options(entry.target.fd); !lent) {
    return std::unexpected(std::move(lent.error()));
  }
  const auto put =
      notifications_.put_descriptor(caller.id, entry.target.fd, fd, socket->close_on_exec());
  if (!put) {
    tell(caller, what + "and could not be given the listener: " + put.error().text());
    return false;
  }
  entry.bound = true;
  ++counts_.bound;
  return true;
}

void InterceptAnswers::remember(const Caller& caller, int fd, const std::string& path) {
  const auto socket = caller.process.socket_inode(fd);
  const auto place = socket ? find_place(caller.process, AT_FDCWD, path) : fail("bind", EINVAL);
  const auto directory = place ? place->directory_id() : std::nullopt;
  if (!directory) return;
  if (temporaries_.size() >= kMaxTemporaries) temporaries_.pop_front();
  temporaries_.push_back(
      {.directory = *directory, .name = place->name, .fd = fd, .socket = *socket});
}

// The descriptor must still be that socket, in this process.
const InterceptAnswers::Temporary* InterceptAnswers::find_temporary(const Caller& caller,
                                                                    const Place& place) const {
  const auto directory = place.directory_id();
  for (const Temporary& one : temporaries_ | std::views::reverse) {
    if (one.directory != directory || one.name != place.name) continue;
    const auto socket = caller.process.socket_inode(one.fd);
    if (socket && *socket == one.socket) return &one;
  }
  return nullptr;
}

// haproxy's way: bind a temporary name, rename it to the path. Whatever fails here, the path is not
// replaced.
InterceptAnswers::Outcome InterceptAnswers::take_over(Caller& caller, const PathArgument& from,
                                                      Entry& entry) {
  const auto path = caller.process.read_text(from.at);
  if (!path) return Answer::refused(path.error().code().value());
  const Done done{.thread = caller.process.thread(), .fd = -1, .renamed = *path};
  if (was_done(done)) return Answer::done();
  const auto place = find_place(caller.process, from.base, *path);
  if (!place) return Answer::refused(place.error().code().value());
  const Temporary* const temporary = is_socket(*place) ? find_temporary(caller, *place) : nullptr;
  const auto swapped =
      temporary == nullptr ? Result<bool>(false) : swap(caller, temporary->fd, entry);
  if (!swapped || !*swapped) {
    ++counts_.refused;
    tell(caller, "renames " + *path + " over " + entry.target.path + " (listener " +
                     entry.target.name + "): refused (EPERM), since it is no " +
                     "stream socket that this process has bound");
    return Answer::refused(EPERM);
  }
  done_ = done;
  if (const auto gone = remove(caller, *place); !gone) {
    tell(caller, "leaves " + *path + " behind: " + gone.error().text());
  }
  return Answer::done();
}

Result<void> InterceptAnswers::remove(const Caller& caller, const Place& place) {
  const auto user = caller.process.identity();
  if (!user) return std::unexpected(user.error());
  // Or it was read of another process.
  if (!notifications_.still_waits(caller.id)) return fail("notification", ESRCH);
  return unlink_as(*user, place.directory.get(), place.name);
}

void InterceptAnswers::on_undelivered() {
  if (!done_) return;
  if (undelivered_.size() >= kMaxUndelivered) undelivered_.pop_front();
  undelivered_.push_back(*std::exchange(done_, std::nullopt));
}

bool InterceptAnswers::was_done(const Done& done) {
  const auto found = std::ranges::find(undelivered_, done);
  if (found == undelivered_.end()) return false;
  undelivered_.erase(found);
  done_ = done;
  return true;
}

void InterceptAnswers::tell(const Caller& caller, const std::string& what) {
  tell_("intercept: process " + std::to_string(caller.process.thread()) + " " + what);
}

// A process that goes, or gave what the kernel refuses as well, needs no word; one that perch
// cannot read needs one for each kind of call. When perch lacks descriptors or memory for the
// moment, the kernel would do to the path what must not be done: the call fails, for the same
// reason.
Answer InterceptAnswers::give_up(const Caller& caller, const InterceptedCall& call,
                                 const Error& error) {
  if (is_its_own(error)) return Answer::by_kernel();
  ++counts_.unreadable;
  const bool is_short = is_shortage(error);
  if (!told_unreadable_.test(call.index())) {
    told_unreadable_.set(call.index());
    tell(caller, std::string("makes ") + name(call) + " calls that perch " +
                     (is_short ? "cannot look at: " : "may not look at: ") + error.text() +
                     (is_short ? ": they fail; give perch more descriptors or memory"
                               : ": the kernel answers them; give perch CAP_SYS_PTRACE, or run "
                                 "the worker as perch's own user"));
  }
  return is_short ? Answer::refused(error.code().value()) : Answer::by_kernel();
}

}  // namespace perch::handover
