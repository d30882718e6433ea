// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/notifications.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "supervisor/handover/bounded_wait.h"

namespace perch::handover {
namespace {

// Linux 6.6, newer than the headers: the caller runs again on the processor that answered it.
constexpr unsigned long kSetFlags = SECCOMP_IOW(4, __u64);
constexpr std::uint64_t kSyncWakeUp = 1;

// The kernel waits until the caller's thread has taken the descriptor, and a worker may see to it
// that it never runs. One whose cgroup has used up its processor time runs within a few of the
// usual periods of 100 ms.
constexpr std::chrono::milliseconds kLongestWait{500};

std::vector<std::uint64_t> room_for(std::size_t known, std::size_t kernels) {
  const std::size_t bytes = std::max(known, kernels);
  return std::vector<std::uint64_t>((bytes + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t));
}

// Asks for a notification that there is not: ENOENT where the kernel knows the request.
bool can_put_descriptors(int fd) {
  seccomp_notif_addfd nobody{};
  nobody.id = ~std::uint64_t{0};
  nobody.srcfd = static_cast<std::uint32_t>(fd);
  return ::ioctl(fd, SECCOMP_IOCTL_NOTIF_ADDFD, &nobody) < 0 && errno == ENOENT;
}

}  // namespace

Notifications::Notifications(UniqueFd fd, const seccomp_notif_sizes& sizes)
    : fd_(std::move(fd)),
      received_(room_for(sizeof(seccomp_notif), sizes.seccomp_notif)),
      response_(room_for(sizeof(seccomp_notif_resp), sizes.seccomp_notif_resp)) {}

Result<Notifications> Notifications::open(UniqueFd fd) {
  seccomp_notif_sizes sizes{};
  if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0U, &sizes) != 0) {
    return fail("SECCOMP_GET_NOTIF_SIZES");
  }
  if (!can_put_descriptors(fd.get())) {
    return refuse("SECCOMP_IOCTL_NOTIF_ADDFD is not to be had: it needs Linux 5.9");
  }
  ::ioctl(fd.get(), kSetFlags, kSyncWakeUp);
  return Notifications(std::move(fd), sizes);
}

Notifications::State Notifications::state() const {
  pollfd waiting{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, 0) <= 0) return State::Empty;
  if ((waiting.revents & POLLIN) != 0) return State::Waiting;
  return (waiting.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0 ? State::Ended : State::Empty;
}

std::optional<Notification> Notifications::receive() {
  std::ranges::fill(received_, 0);  // EINVAL otherwise
  if (::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_RECV, received_.data()) != 0) return std::nullopt;
  Notification notification{};
  std::memcpy(&notification, received_.data(), sizeof notification);
  return notification;
}

bool Notifications::still_waits(std::uint64_t id) const {
  return ::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

Result<void> Notifications::put_descriptor(std::uint64_t id, int source, int target,
                                           CloseOnExec close_on_exec) {
  seccomp_notif_addfd request{};
  request.id = id;
  request.flags = SECCOMP_ADDFD_FLAG_SETFD;
  request.srcfd = static_cast<std::uint32_t>(source);
  request.newfd = static_cast<std::uint32_t>(target);
  request.newfd_flags = close_on_exec == CloseOnExec::Yes ? O_CLOEXEC : 0;
  const BoundedWait bounded(kLongestWait);
  if (::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_ADDFD, &request) >= 0) return {};
  if (errno == EINTR) return refuse("its thread was not run in time: is it of idle priority?");
  return fail("SECCOMP_IOCTL_NOTIF_ADDFD");
}

Result<Notifications::Delivery> Notifications::answer(std::uint64_t id, Answer answer) {
  seccomp_notif_resp response{};
  response.id = id;
  response.error = -answer.error;
  if (answer.by == Answer::By::Kernel) response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  std::ranges::fill(response_, 0);
  std::memcpy(response_.data(), &response, sizeof response);
  if (::ioctl(fd_.get(), SECCOMP_IOCTL_NOTIF_SEND, response_.data()) == 0) return Delivery::Done;
  if (errno != ENOENT) return fail("SECCOMP_IOCTL_NOTIF_SEND");
  return Delivery::NobodyWaits;
}

}  // namespace perch::handover
