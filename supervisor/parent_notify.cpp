// SPDX-License-Identifier: Apache-2.0
#include "supervisor/parent_notify.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>

#include "supervisor/config/units.h"

namespace perch {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// A worker that is back by then was no news.
constexpr milliseconds kStatusDelay = 100ms;
// The end of a full queue makes no news that we could wait for.
constexpr milliseconds kRetry = 1s;

std::string variable(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? "" : value;
}

// As sd_watchdog_enabled(3): WATCHDOG_PID may be missing, but not somebody else's.
microseconds allowed_silence() {
  constexpr std::uint64_t kDay = 24ULL * 60 * 60 * 1'000'000;
  const auto limit = config::parse_count(variable("WATCHDOG_USEC"));
  const std::string whose = variable("WATCHDOG_PID");
  const bool ours = whose.empty() || whose == std::to_string(::getpid());
  return microseconds(limit && ours ? std::min(*limit, kDay) : 0);
}

std::string in_microseconds(microseconds time) { return std::to_string(time.count()); }

}  // namespace

ParentNotify::ParentNotify(Loop& loop, Look look)
    : look_(std::move(look)),
      tell_(loop, [this](milliseconds) { tell(); }),
      feed_(loop, [this](milliseconds) { feed_watchdog(); }) {
  const auto address = unix_address(variable("NOTIFY_SOCKET"));
  if (!address) return;
  auto socket = unix_socket(SOCK_DGRAM, Blocking::No);
  if (!socket) return;
  address_ = *address;
  socket_ = std::move(*socket);
  watchdog_ = allowed_silence() / 2;
  if (watchdog_ > 0us) feed_watchdog();
}

void ParentNotify::on_change() {
  if (!socket_ || tell_.armed()) return;
  tell_.arm(told_.ready ? kStatusDelay : 0ms);
}

void ParentNotify::tell() {
  Standing now = look_();
  // Once ready it stays so for a service manager; a worker that is away is told as status.
  now.ready |= told_.ready;
  if (now == told_) return;
  NotifyMessage message{{"STATUS", now.status}};
  if (now.ready && !told_.ready) message.add("READY", "1");
  if (send(message) == Sent::Full) return tell_.arm(kRetry);
  told_ = std::move(now);
}

void ParentNotify::waiting(milliseconds patience) {
  send({{"EXTEND_TIMEOUT_USEC", in_microseconds(patience)}});
  on_change();
}

void ParentNotify::stopping(milliseconds patience) {
  send({{"STOPPING", "1"}, {"EXTEND_TIMEOUT_USEC", in_microseconds(patience)}});
}

void ParentNotify::begin_reload() {
  if (!told_.ready) return;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  send({{"RELOADING", "1"},
        {"MONOTONIC_USEC", in_microseconds(std::chrono::duration_cast<microseconds>(now))}});
}

void ParentNotify::end_reload() {
  if (told_.ready) send({{"READY", "1"}});
  on_change();
}

void ParentNotify::feed_watchdog() {
  send({{"WATCHDOG", "1"}});
  feed_.arm(watchdog_);
}

ParentNotify::Sent ParentNotify::send(const NotifyMessage& message) const {
  if (!socket_) return Sent::Yes;
  const std::string text = message.text();
  const auto sent = ::sendto(socket_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                             address_.get(), address_.size);
  // Any other refusal would come again: nobody is there.
  return sent < 0 && errno == EAGAIN ? Sent::Full : Sent::Yes;
}

}  // namespace perch
