// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/interruption.h"

#include <ctime>

namespace perch::peer {
namespace {

bool is_ignored(int number) {
  struct sigaction action{};
  return ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

Interruption::Interruption() {
  ::sigemptyset(&signals_);
  // A blocked signal waits even when it is ignored, and would be taken for a wish.
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    if (!is_ignored(number)) ::sigaddset(&signals_, number);
  }
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
}

bool Interruption::wait(std::chrono::milliseconds limit) {
  if (came()) return true;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(limit);
  const std::timespec time{.tv_sec = seconds.count(),
                           .tv_nsec = std::chrono::nanoseconds(limit - seconds).count()};
  const int number = ::sigtimedwait(&signals_, nullptr, &time);
  if (number > 0) signal_ = number;
  return came();
}

void Interruption::end_process() const {
  if (!came()) return;
  ::signal(signal_, SIG_DFL);
  ::pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
  (void)::raise(signal_);
}

}  // namespace perch::peer
