// SPDX-License-Identifier: Apache-2.0
// Progress: what the user sees of a download, on stderr. A bar on a terminal, as wide as that is,
// drawn over and over and gone at the end; elsewhere a plain line now and then, fit for a log.
#pragma once

#include <chrono>
#include <string>

#include "worker/peer/client/progress_text.h"
#include "worker/peer/client/speed.h"

namespace perch::peer {

enum class Verbosity { Normal, Quiet };

class Progress {
 public:
  explicit Progress(Verbosity verbosity);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // So much of `length` is there.
  void set(std::uint64_t received, std::uint64_t length);
  // Called often; draws when it is time to.
  void tick();
  // A line of its own, above the bar.
  void note(const std::string& text);
  // The last line: what came, and how fast.
  void conclude(const std::string& name);

 private:
  using Clock = std::chrono::steady_clock;

  void clear();

  Verbosity verbosity_;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point started_;
  Clock::time_point next_;
  ProgressView view_;
  Speed speed_;
};

}  // namespace perch::peer
