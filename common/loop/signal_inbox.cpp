// SPDX-License-Identifier: Apache-2.0
#include "common/loop/signal_inbox.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <utility>

namespace perch {
namespace {

// One a turn: the callback may close the descriptor, and others make it readable again.
void read_one(int descriptor, const SignalInbox::Callback& on_signal) {
  signalfd_siginfo news{};
  if (::read(descriptor, &news, sizeof news) == static_cast<ssize_t>(sizeof news)) {
    on_signal(static_cast<int>(news.ssi_signo));
  }
}

}  // namespace

Result<SignalInbox> SignalInbox::open(Loop& loop, const sigset_t& signals, Callback on_signal) {
  UniqueFd descriptor(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor) return fail("signalfd");
  auto watcher = FdWatcher::create(
      loop, descriptor.get(), [fd = descriptor.get(), on_signal = std::move(on_signal)](Readiness) {
        read_one(fd, on_signal);
      });
  if (!watcher) return fail_within("signalfd", std::move(watcher.error()));
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
  watcher->watch({.readable = true});
  return SignalInbox(std::move(descriptor), std::move(*watcher));
}

}  // namespace perch
