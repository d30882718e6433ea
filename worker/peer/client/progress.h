// SPDX-License-Identifier: Apache-2.0
// Progress: what the user sees of a download, on stderr. A bar that is drawn over and over on a
// terminal; elsewhere a plain line now and then, fit for a log.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace perch::peer {

class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(std::uint64_t received, std::uint64_t length);
  // A line of its own, above the bar.
  void note(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;

  void clear();

  bool terminal_;
  bool drawn_ = false;
  Clock::time_point started_;
  Clock::time_point next_;
};

// "12.3 MiB".
std::string size_text(std::uint64_t bytes);

}  // namespace perch::peer
