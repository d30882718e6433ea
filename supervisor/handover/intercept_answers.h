// SPDX-License-Identifier: Apache-2.0
// InterceptAnswers: what the caller of each stopped call gets. It knows the listeners, what was
// bound, and the sockets under temporary names that may be renamed to a listener's path. What
// cannot be made out is the kernel's to answer. No loop, no deadline: one call, one answer.
#pragma once

#include <bitset>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/value/error.h"
#include "supervisor/handover/intercept_targets.h"
#include "supervisor/handover/intercepted_call.h"
#include "supervisor/handover/notifications.h"
#include "supervisor/handover/target_process.h"

namespace perch::handover {

struct InterceptSettings {
  std::vector<InterceptTarget> targets;
  bool probe_guard = true;         // a connect to a listener that is not bound yet is refused
  bool tcp_reuse_address = false;  // SO_REUSEADDR for TCP sockets at bind
};

// What perch answered instead of the kernel, and what it could not make out.
struct InterceptCounts {
  std::uint64_t bound = 0;    // a listener put in the place of the daemon's socket
  std::uint64_t listens = 0;  // answered without effect, as the next four
  std::uint64_t shutdowns = 0;
  std::uint64_t unlinks = 0;
  std::uint64_t renames = 0;  // of a listener's path to elsewhere
  std::uint64_t chmods = 0;
  std::uint64_t probes = 0;      // connects refused before the bind
  std::uint64_t refused = 0;     // renames over a listener's path
  std::uint64_t reused = 0;      // TCP sockets given SO_REUSEADDR
  std::uint64_t unreadable = 0;  // perch could not read the process
};

class InterceptAnswers {
 public:
  using Tell = std::function<void(std::string)>;
  // `notifications` is lent. `tell` gets a line when a call ends otherwise than its caller hopes.
  InterceptAnswers(Notifications& notifications, InterceptSettings settings, Tell tell);

  // May put a descriptor into the caller; the answer is to be sent by whoever asks.
  Answer to(const Notification& notification);
  // The last answer found nobody waiting: a signal made the caller leave, and it asks again. What
  // was done for it is done.
  void on_undelivered();

  void replace(std::vector<InterceptTarget> targets) { targets_.replace(std::move(targets)); }
  [[nodiscard]] const InterceptCounts& counts() const noexcept { return counts_; }
  [[nodiscard]] bool all_bound() const { return targets_.all_bound(); }

 private:
  struct Caller {
    std::uint64_t id;  // of the notification
    TargetProcess process;
  };
  // A socket that was bound to a path of the daemon's choice.
  struct Temporary {
    DirectoryId directory;
    std::string name;
    int fd;
    ino_t socket;
  };
  // A call that has put a listener in its place: which one, by which thread.
  struct Done {
    pid_t thread;
    int fd;               // that was bound, or -1
    std::string renamed;  // to the listener's path, or empty
    bool operator==(const Done&) const = default;
  };
  // An error leaves the call to the kernel.
  using Outcome = Result<Answer>;
  using Entry = InterceptTargets::Entry;

  Outcome on(Caller& caller, const call::Other& other);
  Outcome on(Caller& caller, const call::Bind& bind);
  Outcome on(Caller& caller, const call::Connect& connect);
  Outcome on(Caller& caller, const call::Listen& listen);
  Outcome on(Caller& caller, const call::Shutdown& shutdown);
  Outcome on(Caller& caller, const call::Unlink& unlink);
  Outcome on(Caller& caller, const call::Rename& rename);
  Outcome on(Caller& caller, const call::Chmod& chmod);

  InterceptTargets::Found find(Caller& caller, const PathArgument& path);
  Outcome reuse(const Caller& caller, int fd);
  // False when the listener cannot be put there; that is told.
  Result<bool> swap(const Caller& caller, int fd, Entry& entry);
  void remember(const Caller& caller, int fd, const std::string& path);
  // Null when the caller has no socket that was bound there.
  const Temporary* find_temporary(const Caller& caller, const Place& place) const;
  Outcome take_over(Caller& caller, const PathArgument& from, Entry& entry);
  Result<void> remove(const Caller& caller, const Place& place);
  // By the same thread, whose answer was not delivered.
  bool was_done(const Done& done);
  void tell(const Caller& caller, const std::string& what);
  Answer give_up(const Caller& caller, const InterceptedCall& call, const Error& error);

  Notifications& notifications_;
  InterceptTargets targets_;
  bool probe_guard_;
  bool tcp_reuse_address_;
  Tell tell_;
  std::deque<Temporary> temporaries_;
  std::optional<Done> done_;  // by the call that is being answered
  std::deque<Done> undelivered_;
  InterceptCounts counts_;
  std::bitset<std::variant_size_v<InterceptedCall>> told_unreadable_;  // by kind of call
};

}  // namespace perch::handover
