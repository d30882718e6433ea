// SPDX-License-Identifier: Apache-2.0
// Interruption: the signals that end a command, asked for instead of suffered, so that it can clear
// up behind itself first. For the process's main thread, made before any other thread is; those it
// is started with ignored (nohup) stay ignored. SIGPIPE and SIGXFSZ become errors of the write that
// they are about.
#pragma once

#include <chrono>
#include <csignal>

namespace perch::peer {

class Interruption {
 public:
  Interruption();

  // Waits this long for one; true once there is or was one.
  bool wait(std::chrono::milliseconds limit);
  [[nodiscard]] bool came() const noexcept { return signal_ != 0; }
  // Ends the process by the signal that came, as it would have without us; returns where none did.
  void end_process() const;

 private:
  sigset_t signals_{};
  int signal_ = 0;
};

}  // namespace perch::peer
