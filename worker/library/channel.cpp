// SPDX-License-Identifier: Apache-2.0
#include "worker/library/channel.h"

#include <fcntl.h>

#include <charconv>
#include <cstdlib>

#include "common/posix/notify_message.h"
#include "common/posix/unix_socket.h"

namespace perch::worker {
namespace {

// What sd_listen_fds_with_names(3) calls a descriptor that came without a name.
constexpr std::string_view kUnnamed = "unknown";

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [rest, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc() || rest != end) return std::nullopt;
  return number;
}

Result<void> check_is_seqpacket(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return fail("channel");
  if (type != SOCK_SEQPACKET) return fail("channel", EPROTOTYPE);
  return {};
}

DrainRequested drain_of(const NotifyMessage& message) {
  DrainRequested drain;
  const auto deadline = number_of<std::uint64_t>(message.get("DEADLINE_USEC").value_or(""));
  if (deadline) drain.deadline = std::chrono::microseconds(*deadline);
  return drain;
}

}  // namespace

Result<Channel> Channel::from_environment() {
  const char* text = std::getenv(kChannelVariable);
  if (text == nullptr) {
    return refuse(
        "PERCH_CHANNEL is not set: start this program under perch, handover = \"channel\"");
  }
  const std::string value = text;
  ::unsetenv(kChannelVariable);
  const auto fd = number_of<int>(value);
  if (!fd || *fd < 0) return refuse("PERCH_CHANNEL='" + value + "' is not a descriptor number");
  return open(UniqueFd(*fd));
}

Result<Channel> Channel::open(UniqueFd socket) {
  auto step = check_is_seqpacket(socket.get());
  if (step) step = set_blocking(socket.get(), Blocking::No);
  if (!step) return std::unexpected(std::move(step.error()));
  if (::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) != 0) return fail("channel: fcntl F_SETFD");
  Channel channel(std::move(socket));
  if (auto said = channel.say("HELLO", "1"); !said) return std::unexpected(std::move(said.error()));
  return channel;
}

Result<std::optional<Event>> Channel::next_event() {
  while (pending_.empty() && !gone_) {
    auto datagram = receive_datagram(socket_.get());
    if (datagram) {
      if (auto read_it = read(std::move(*datagram)); !read_it) {
        return std::unexpected(std::move(read_it.error()));
      }
      continue;
    }
    if (datagram.error() == ReceiveEnd::WouldBlock) return std::nullopt;
    if (datagram.error() == ReceiveEnd::Truncated) return fail("channel: message", EMSGSIZE);
    gone_ = true;
    pending_.emplace_back(SupervisorGone{});
  }
  if (pending_.empty()) return std::nullopt;
  std::optional<Event> event(std::move(pending_.front()));
  pending_.pop_front();
  return event;
}

Result<void> Channel::read(Datagram datagram) {
  const auto message = NotifyMessage::parse(datagram.payload);
  // Read before the rest of the message, so that an unreadable hand-over drops all of it.
  if (const auto count = message.get("LISTEN_FDS")) {
    auto taken =
        take_listeners(*count, message.get("LISTEN_FDNAMES").value_or(""), std::move(datagram.fds));
    if (!taken) return taken;
  }
  if (message.says("RETIRE", "1")) {
    pending_.emplace_back(ListenerRetired{std::string(message.get("FDNAME").value_or(kUnnamed))});
  }
  if (message.says("DRAIN", "1")) pending_.emplace_back(drain_of(message));
  return {};
}

Result<void> Channel::take_listeners(std::string_view count, std::string_view names,
                                     std::vector<UniqueFd> sockets) {
  if (number_of<std::size_t>(count) != sockets.size()) {
    return refuse("channel: LISTEN_FDS=" + std::string(count) + " came with " +
                  std::to_string(sockets.size()) + " descriptors");
  }
  const auto name_list = split_names(names);
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    std::string name(i < name_list.size() ? name_list[i] : std::string(kUnnamed));
    pending_.emplace_back(ListenerArrived{std::move(name), std::move(sockets[i])});
  }
  return {};
}

Result<void> Channel::ready() { return say("READY", "1"); }
Result<void> Channel::status(std::string_view text) { return say("STATUS", text); }
Result<void> Channel::stopping() { return say("STOPPING", "1"); }
Result<void> Channel::watchdog() { return say("WATCHDOG", "1"); }

Result<void> Channel::extend_timeout(std::chrono::microseconds from_now) {
  return say("EXTEND_TIMEOUT_USEC", std::to_string(from_now.count()));
}

Result<void> Channel::say(std::string_view key, std::string_view value) {
  auto sent = send_datagram(socket_.get(), NotifyMessage{{key, value}}.text());
  if (!sent) return fail_within("channel: " + std::string(key), std::move(sent.error()));
  return {};
}

}  // namespace perch::worker
