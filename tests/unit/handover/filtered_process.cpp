// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/handover/filtered_process.h"

#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <utility>

#include "common/posix/fd_passing.h"
#include "common/posix/unix_socket.h"

namespace perch::test {
namespace {

constexpr int kFailed = 100;

UniqueFd install(std::span<const sock_filter> program) {
  sock_fprog filter{};
  filter.len = static_cast<unsigned short>(program.size());
  filter.filter = const_cast<sock_filter*>(program.data());  // NOLINT: the kernel only reads it
  constexpr unsigned long kListener = SECCOMP_FILTER_FLAG_NEW_LISTENER;
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return UniqueFd(
      static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                 kListener | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &filter)));
}

bool wait_readable(int fd) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, 30'000) == 1;
}

}  // namespace

FilteredProcess::FilteredProcess(const handover::InterceptFilter& filter, Plan plan) {
  auto pair = seqpacket_pair();
  if (!pair) throw std::runtime_error(pair.error().text());
  channel_ = std::move(pair->first);
  pid_ = ::fork();
  if (pid_ == 0) run(filter, plan, pair->second.get());
  pair->second.reset();
  if (!wait_readable(channel_.get())) return;
  auto message = receive_datagram(channel_.get());
  if (message && !message->fds.empty()) notify_ = std::move(message->fds.front());
}

void FilteredProcess::run(const handover::InterceptFilter& filter, const Plan& plan,
                          int channel) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (plan.prepare && !plan.prepare()) ::_exit(kFailed);
  UniqueFd notify = install(filter.program());
  if (!notify || !send_datagram(channel, "N", std::array{notify.get()})) ::_exit(kFailed);
  notify.reset();
  if (!wait_readable(channel)) ::_exit(kFailed);
  ::_exit(plan.act());
}

FilteredProcess::~FilteredProcess() {
  kill();
  if (!ending_) ::waitpid(pid_, nullptr, 0);
}

void FilteredProcess::go() {
  if (!send_datagram(channel_.get(), "G")) throw std::runtime_error("the process is gone");
}

void FilteredProcess::kill() {
  if (!ending()) ::kill(pid_, SIGKILL);
}

std::optional<int> FilteredProcess::ending() {
  int status = 0;
  if (!ending_ && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    ending_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  return ending_;
}

}  // namespace perch::test
