// SPDX-License-Identifier: Apache-2.0
// LineShaper: what a captured worker writes to one stream becomes what perch writes for it. No
// descriptor, no clock. Lines above the rate are dropped and counted.
//   raw     as it came, parts of lines too
//   prefix  app: line
//   json    {"time":"...","worker":"app","generation":3,"stream":"stderr","message":"line"}
// The latter two wait for a line's end and cut it at kLongestLine, which they say. A message is
// text even where it is JSON itself: a field that is an object now and then is refused by those who
// store logs, and what a worker writes cannot pass for perch's own fields.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "supervisor/config/schema.h"

namespace perch {

// What of a capture changes while the worker runs.
struct CaptureSettings {
  config::CaptureFormat format = config::CaptureFormat::Raw;
  unsigned rate = 0;  // lines a second that pass, of each stream; 0: all
};

class LineShaper {
 public:
  static constexpr std::size_t kLongestLine = 8U << 10U;
  // Every byte may be written as \u0000, and there is a little around it.
  static constexpr std::size_t kLongestRecord = 6 * kLongestLine + 512;
  using Time = std::chrono::system_clock::time_point;

  struct Origin {
    std::string worker;
    std::uint64_t generation = 0;
    std::string_view stream;  // "stdout" or "stderr"
  };

  LineShaper(Origin origin, CaptureSettings settings);
  void set(CaptureSettings settings) noexcept { settings_ = settings; }

  // Takes what is there, one line at most, off the front of `bytes`, which are not empty; appends
  // what is to be written, if anything. Raw output without a rate is taken whole.
  void take(std::string_view& bytes, Time now, std::string& out);
  // There is no more: a last line without its end has one now.
  void finish(Time now, std::string& out);
  // Lines above the rate.
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  enum class Line { None, Passes, Drops };  // the one that has begun, in raw output

  void take_raw(std::string_view piece, Time now, std::string& out);
  void collect(std::string_view piece);
  void end_line(Time now, std::string& out);
  [[nodiscard]] bool admit(Time now);

  Origin origin_;
  CaptureSettings settings_;
  Line line_ = Line::None;
  std::string open_;     // a line whose end has not come
  std::size_t cut_ = 0;  // bytes that it was too long
  Time window_{};        // the second in which lines are counted
  unsigned admitted_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace perch
