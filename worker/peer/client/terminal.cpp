// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace perch::peer {

std::optional<std::size_t> columns_of(int fd) {
  const char* const terminal = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe)
  if (::isatty(fd) == 0 || (terminal != nullptr && std::string_view(terminal) == "dumb")) {
    return std::nullopt;
  }
  winsize size{};
  const bool known = ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : kUsualColumns;
}

void say(const std::string& text) { (void)std::fputs(text.c_str(), stderr); }

}  // namespace perch::peer
