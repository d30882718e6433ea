// SPDX-License-Identifier: Apache-2.0
// Screen: the whole terminal, taken for as long as frames are drawn on it, as `watch` and `less` do
// it: the alternate screen, no cursor, no echo. What was there before comes back with its end, by
// whatever key or signal: signals are read here while it lives.
#pragma once

#include <signal.h>
#include <termios.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>

#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch::cli {

class Screen {
 public:
  // Why waiting ended. Redraw: the window has another size, or the screen was another's meanwhile.
  enum class Wake { Time, Redraw, Quit };

  // stdout must be a terminal. One at a time.
  static Result<std::unique_ptr<Screen>> take();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // In place: nothing is cleared before what replaces it is there. What does not fit is cut.
  void draw(std::string_view frame) const;
  // Quit: q, Ctrl-C, or a signal to end.
  Wake wait(std::chrono::milliseconds time);

 private:
  Screen(UniqueFd signals, const sigset_t& mask_before);
  void enter() const;
  void leave() const;
  Wake on_signal();
  static Wake on_key();

  UniqueFd signals_;
  sigset_t mask_before_;
  std::optional<termios> modes_before_;  // of the keyboard; nothing: stdin is no terminal
};

}  // namespace perch::cli
