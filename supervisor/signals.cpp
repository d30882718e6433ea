// SPDX-License-Identifier: Apache-2.0
#include "supervisor/signals.h"

#include <array>
#include <csignal>
#include <utility>

namespace perch {
namespace {

constexpr std::array kFaults{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
constexpr std::array kNotOurs{SIGCHLD, SIGPIPE, SIGTTIN, SIGTTOU};

}  // namespace

Result<Signals> Signals::watch(Loop& loop, const std::function<void(int)>& on_signal) {
  // Whoever started perch may have left SIGCHLD ignored: children would then vanish unreaped.
  std::signal(SIGCHLD, SIG_DFL);
  sigset_t signals;
  ::sigfillset(&signals);
  for (const int number : kFaults) ::sigdelset(&signals, number);
  ::sigprocmask(SIG_SETMASK, &signals, nullptr);
  for (const int number : kNotOurs) ::sigdelset(&signals, number);
  auto inbox = SignalInbox::open(loop, signals, on_signal);
  if (!inbox) return std::unexpected(std::move(inbox.error()));
  return Signals(std::move(*inbox));
}

}  // namespace perch
