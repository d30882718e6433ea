// SPDX-License-Identifier: Apache-2.0
#include "tests/support/pseudo_terminal.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace perch::test {

PseudoTerminal::PseudoTerminal(unsigned short rows, unsigned short columns) {
  const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  int ours = -1;
  int program = -1;
  if (::openpty(&ours, &program, nullptr, nullptr, &size) != 0) {
    throw std::system_error(errno, std::generic_category(), "openpty");
  }
  ours_ = UniqueFd(ours);
  program_ = UniqueFd(program);
  ::fcntl(ours, F_SETFL, O_NONBLOCK);
}

void PseudoTerminal::resize(unsigned short rows, unsigned short columns) const {
  const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  ::ioctl(ours_.get(), TIOCSWINSZ, &size);
}

void PseudoTerminal::type(std::string_view keys) const {
  [[maybe_unused]] const ssize_t written = ::write(ours_.get(), keys.data(), keys.size());
}

const std::string& PseudoTerminal::shown() {
  std::array<char, 4096> chunk{};
  for (;;) {
    const ssize_t got = ::read(ours_.get(), chunk.data(), chunk.size());
    if (got <= 0) return shown_;
    shown_.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

bool PseudoTerminal::is_raw() const {
  termios modes{};
  return ::tcgetattr(program_.get(), &modes) == 0 && (modes.c_lflag & (ICANON | ECHO)) == 0;
}

}  // namespace perch::test
