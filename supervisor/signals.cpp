// SPDX-License-Identifier: Apache-2.0
#include "supervisor/signals.h"

#include <algorithm>
#include <array>
#include <csignal>

namespace perch {
namespace {

constexpr std::array kNotWatched{SIGKILL, SIGSTOP, SIGCHLD, SIGPIPE, SIGTTIN, SIGTTOU, SIGSEGV,
                                 SIGBUS,  SIGFPE,  SIGILL,  SIGTRAP, SIGSYS,  SIGABRT};
constexpr std::array kIgnored{SIGPIPE, SIGTTIN, SIGTTOU};

bool is_watched(int number) {
  // Between the standard signals and SIGRTMIN lie the C library's own.
  if (number >= __SIGRTMIN && number < SIGRTMIN) return false;
  return std::ranges::find(kNotWatched, number) == kNotWatched.end();
}

}  // namespace

Result<Signals> Signals::watch(Loop& loop, const std::function<void(int)>& on_signal) {
  // Whoever started perch may have left SIGCHLD ignored: children would then vanish unreaped.
  std::signal(SIGCHLD, SIG_DFL);
  for (const int number : kIgnored) std::signal(number, SIG_IGN);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  std::vector<SignalWatcher> watchers;
  for (int number = 1; number <= SIGRTMAX; ++number) {
    if (!is_watched(number)) continue;
    auto watcher = SignalWatcher::create(loop, number, on_signal);
    if (!watcher) return std::unexpected(std::move(watcher.error()));
    watchers.push_back(std::move(*watcher));
  }
  return Signals(std::move(watchers));
}

}  // namespace perch
