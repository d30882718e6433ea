// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/connections.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>

namespace perch::peer {
namespace {

constexpr char kSettings = 4;
constexpr char kGoAway = 7;
constexpr std::uint32_t kEnhanceYourCalm = 11;

std::string big_endian(std::uint32_t number) {
  return {static_cast<char>(number >> 24U), static_cast<char>(number >> 16U),
          static_cast<char>(number >> 8U), static_cast<char>(number)};
}

// RFC 9113, 4.1: 24 bits of length, type, flags, stream 0.
std::string frame(char type, const std::string& payload) {
  const auto length = static_cast<std::uint32_t>(payload.size());
  return big_endian(length).substr(1) + type + '\0' + big_endian(0) + payload;
}

}  // namespace

bool Connections::any_of(const Caller& caller) const {
  return std::ranges::any_of(open_,
                             [&](const auto& entry) { return entry.second.caller == caller; });
}

Result<void> Connections::add(const UniqueFd& connection, const Caller& caller) {
  UniqueFd duplicate(::fcntl(connection.get(), F_DUPFD_CLOEXEC, 0));
  if (!duplicate) return fail("duplicate a connection");
  const int number = duplicate.get();
  auto watcher =
      FdWatcher::create(loop_, number, [this, number](Readiness) { open_.erase(number); });
  if (!watcher) return std::unexpected(std::move(watcher.error()));
  watcher->watch({.hang_up = true});
  open_.emplace(number, Open{std::move(duplicate), caller, std::move(*watcher)});
  return {};
}

void turn_away(UniqueFd connection, const std::string& reason) {
  // No stream was processed: whoever reads this may ask again elsewhere, or later.
  const std::string words =
      frame(kSettings, "") + frame(kGoAway, big_endian(0) + big_endian(kEnhanceYourCalm) + reason);
  // It fits into a socket nothing was written to; a client that is gone misses nothing.
  (void)::send(connection.get(), words.data(), words.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace perch::peer
