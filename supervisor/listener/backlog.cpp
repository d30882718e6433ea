// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/backlog.h"

#include <sys/socket.h>

#include <charconv>

#include "common/posix/file.h"

namespace perch::listener {

Result<void> listen_on(int socket, int backlog) {
  if (::listen(socket, backlog) != 0) return fail("listen");
  return {};
}

std::optional<std::string> backlog_warning(const std::string& path, int backlog) {
  const auto text = read_file("/proc/sys/net/core/somaxconn");
  int limit = 0;
  if (!text ||
      std::from_chars(text->data(), text->data() + text->size(), limit).ec != std::errc{}) {
    return std::nullopt;
  }
  if (backlog <= limit) return std::nullopt;
  return path + ": backlog " + std::to_string(backlog) + " is capped to " + std::to_string(limit) +
         " by net.core.somaxconn: raise that, or lower the backlog";
}

}  // namespace perch::listener
