// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/screen.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "supervisor/cli/terminal.h"

namespace perch::cli {
namespace {

using std::chrono::milliseconds;

// Alternate screen, no cursor, no wrapping of long lines; and back.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l";
constexpr std::string_view kLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l";
constexpr std::string_view kHome = "\x1b[H";
constexpr std::string_view kClearRestOfLine = "\x1b[K";
constexpr std::string_view kClearBelow = "\x1b[J";
constexpr Window kUsual{.rows = 24, .columns = 80};

// A terminal that has gone away is noticed by SIGHUP.
void write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

sigset_t watched_signals() {
  sigset_t set{};
  ::sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH}) {
    ::sigaddset(&set, number);
  }
  return set;
}

}  // namespace

Result<std::unique_ptr<Screen>> Screen::take() {
  const sigset_t watched = watched_signals();
  UniqueFd signals(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return fail("signalfd");
  sigset_t before{};
  if (::sigprocmask(SIG_BLOCK, &watched, &before) != 0) return fail("sigprocmask");
  return std::unique_ptr<Screen>(new Screen(std::move(signals), before));
}

Screen::Screen(UniqueFd signals, const sigset_t& mask_before)
    : signals_(std::move(signals)), mask_before_(mask_before) {
  termios modes{};
  if (::tcgetattr(STDIN_FILENO, &modes) == 0) modes_before_ = modes;
  enter();
}

Screen::~Screen() {
  leave();
  ::sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

void Screen::enter() const {
  if (modes_before_) {
    termios modes = *modes_before_;
    modes.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // Ctrl-C is still a signal
    ::tcsetattr(STDIN_FILENO, TCSANOW, &modes);
  }
  write_all(kEnter);
}

void Screen::leave() const {
  write_all(kLeave);
  // What was typed meanwhile was not meant for the shell.
  if (modes_before_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &*modes_before_);
}

void Screen::draw(std::string_view frame) const {
  std::string bytes(kHome);
  std::string_view separator;
  for (const std::string& line : fit(frame, window_of_stdout().value_or(kUsual))) {
    bytes.append(separator).append(line).append(kClearRestOfLine);
    separator = "\r\n";
  }
  write_all(bytes.append(kClearBelow));
}

Screen::Wake Screen::wait(milliseconds time) {
  std::array<pollfd, 2> fds{
      {{.fd = signals_.get(), .events = POLLIN, .revents = 0},
       {.fd = modes_before_ ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0}}};
  const auto deadline = std::chrono::steady_clock::now() + time;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left <= milliseconds::zero()) return Wake::Time;
    if (::poll(fds.data(), fds.size(), static_cast<int>(left.count())) <= 0) continue;
    const Wake wake = fds[0].revents != 0 ? on_signal() : on_key();
    if (wake != Wake::Time) return wake;
  }
}

Screen::Wake Screen::on_signal() {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) != sizeof info) return Wake::Time;
  switch (info.ssi_signo) {
    case SIGTSTP:
      leave();
      static_cast<void>(::raise(SIGSTOP));
      return Wake::Time;  // what made us go on is a signal too
    case SIGCONT:
      enter();
      return Wake::Redraw;
    case SIGWINCH:
      return Wake::Redraw;
    default:
      return Wake::Quit;
  }
}

Screen::Wake Screen::on_key() {
  char key = '\0';
  const bool gone = ::read(STDIN_FILENO, &key, 1) != 1;
  return gone || key == 'q' ? Wake::Quit : Wake::Time;
}

}  // namespace perch::cli
