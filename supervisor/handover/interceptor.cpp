// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/interceptor.h"

#include <unistd.h>

#include <chrono>
#include <utility>

#include "supervisor/handover/target_process.h"

namespace perch::handover {
namespace {

using std::chrono::steady_clock;

// A worker that asks without pause must not keep perch from its other work. What is left makes the
// loop call again.
constexpr Interceptor::Share kTurn{.calls = 64, .time = std::chrono::milliseconds(10)};
constexpr Interceptor::Share kDrain{.calls = 4096, .time = std::chrono::milliseconds(100)};
constexpr std::chrono::milliseconds kSlow{100};

// A process that has died meanwhile is noticed elsewhere.
Result<void> check_readable(pid_t pid) {
  TargetProcess process(pid);
  if (const auto parent = process.parent(); parent && *parent != ::getpid()) {
    return refuse("/proc shows the processes of another pid namespace; mount perch's own there");
  }
  const auto opened = process.open_memory();
  if (opened || is_its_own(opened.error())) return {};
  if (!is_denial(opened.error())) return std::unexpected(opened.error());
  return refuse(opened.error().text() +
                ": perch may not look into its worker; give perch CAP_SYS_PTRACE, or run the "
                "worker as perch's own user, and have kernel.yama.ptrace_scope at 0 or 1");
}

}  // namespace

Interceptor::Interceptor(Notifications notifications, InterceptSettings settings,
                         Callbacks callbacks)
    : notifications_(std::move(notifications)),
      answers_(notifications_, std::move(settings),
               [this](std::string line) { tell(std::move(line)); }),
      callbacks_(std::make_shared<const Callbacks>(std::move(callbacks))) {}

Result<std::unique_ptr<Interceptor>> Interceptor::serve(Loop& loop, UniqueFd notify, pid_t pid,
                                                        InterceptSettings settings,
                                                        Callbacks callbacks) {
  auto notifications = Notifications::open(std::move(notify));
  if (!notifications) return fail_within("intercept", std::move(notifications.error()));
  if (auto readable = check_readable(pid); !readable) {
    return fail_within("intercept", std::move(readable.error()));
  }
  auto interceptor = std::make_unique<Interceptor>(std::move(*notifications), std::move(settings),
                                                   std::move(callbacks));
  if (auto started = interceptor->start(loop); !started) {
    return fail_within("intercept", std::move(started.error()));
  }
  return interceptor;
}

Result<void> Interceptor::start(Loop& loop) {
  auto watcher =
      FdWatcher::create(loop, notifications_.fd(), [this](Readiness) { serve_waiting(kTurn); });
  if (!watcher) return std::unexpected(std::move(watcher.error()));
  watcher_ = std::move(*watcher);
  watcher_->watch({.readable = true});
  return {};
}

void Interceptor::drain() { serve_waiting(kDrain); }

void Interceptor::serve_waiting(const Share& share) {
  const std::weak_ptr alive = callbacks_;
  const auto end = steady_clock::now() + share.time;
  for (int i = 0; i < share.calls && !alive.expired() && serve_one(); ++i) {
    if (steady_clock::now() >= end) return;
  }
}

bool Interceptor::serve_one() {
  const Notifications::State state = notifications_.state();
  if (state == Notifications::State::Ended) watcher_->stop();
  if (state != Notifications::State::Waiting) return false;
  if (const auto notification = notifications_.receive()) answer(*notification);
  return true;
}

void Interceptor::answer(const Notification& notification) {
  const bool were_bound = all_bound();
  const auto began = steady_clock::now();
  const Answer answer = answers_.to(notification);
  const std::string who = "intercept: process " + std::to_string(notification.pid);
  const auto sent = notifications_.answer(notification.id, answer);
  if (!sent) tell(who + " could not be answered: " + sent.error().text());
  if (sent && *sent == Notifications::Delivery::NobodyWaits) answers_.on_undelivered();
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(steady_clock::now() - began);
  if (took > kSlow) {
    tell(who + " waited " + std::to_string(took.count()) + " ms for the answer to a call on " +
         "files: is the machine, or the file system of its path, overloaded?");
  }
  if (were_bound || !all_bound()) return;
  const std::shared_ptr callbacks = callbacks_;
  callbacks->on_bound();
}

void Interceptor::tell(std::string line) {
  if (troubles_ >= kMaxTroubles) return;
  if (++troubles_ == kMaxTroubles) line += "; no more is told of this generation";
  callbacks_->on_trouble(std::move(line));
}

}  // namespace perch::handover
