// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/bounded_wait.h"

#include <cerrno>

namespace perch::handover {
namespace {

// Nobody else uses it: it would tell of a timer that perch has not set.
constexpr int kSignal = SIGVTALRM;

sigset_t only_ours() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, kSignal);
  return set;
}

}  // namespace

// It fires again and again: the first time may be just before the call.
BoundedWait::BoundedWait(std::chrono::milliseconds longest) noexcept {
  struct sigaction nothing{};
  nothing.sa_handler = [](int) {};  // and without SA_RESTART
  ::sigaction(kSignal, &nothing, &action_before_);
  const sigset_t ours = only_ours();
  ::sigprocmask(SIG_UNBLOCK, &ours, &blocked_before_);
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = kSignal;
  has_timer_ = ::timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
  if (!has_timer_) return;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(longest);
  const timespec time{.tv_sec = seconds.count(),
                      .tv_nsec = std::chrono::nanoseconds(longest - seconds).count()};
  const itimerspec again{.it_interval = time, .it_value = time};
  ::timer_settime(timer_, 0, &again, nullptr);
}

// In this order: what the timer has sent is taken by the handler.
BoundedWait::~BoundedWait() {
  const int kept = errno;
  if (has_timer_) ::timer_delete(timer_);
  ::sigprocmask(SIG_SETMASK, &blocked_before_, nullptr);
  ::sigaction(kSignal, &action_before_, nullptr);
  errno = kept;
}

}  // namespace perch::handover
