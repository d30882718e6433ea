// SPDX-License-Identifier: Apache-2.0
// OutputCapture: one generation's stdout and stderr as pipes that perch reads. What comes is passed
// on to perch's own, in the format and at the rate of the settings (line_shaper.h), and the last
// lines of stderr are kept, whatever passes. A slow reader of perch's output slows the worker down,
// as it would without perch; one that has taken nothing for kPatience loses what the worker writes
// from then on, until it reads again: neither perch nor the worker waits for ever.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/capture_stream.h"
#include "supervisor/line_shaper.h"
#include "supervisor/log.h"
#include "supervisor/non_blocking_writer.h"

namespace perch {

class OutputCapture {
 public:
  static constexpr std::chrono::milliseconds kPatience{2'000};

  // For the child's 1 and 2: blocking, close-on-exec. To be closed here once it has them.
  struct WriteEnds {
    UniqueFd out;
    UniqueFd err;
  };

  // Perch's own stdout, stderr and log, shared by all captures, attached to the loop; they outlive
  // the captures. The log is told, once a second at most, how many lines were above the rate.
  struct Destination {
    NonBlockingWriter& out;
    NonBlockingWriter& err;
    Log& log;
  };
  struct Source {
    std::string worker;
    std::uint64_t generation = 0;
  };
  static Result<std::unique_ptr<OutputCapture>> create(
      Loop& loop, const Destination& to, const Source& from, CaptureSettings settings,
      std::chrono::milliseconds patience = kPatience);
  // Reads what is left.
  ~OutputCapture();
  OutputCapture(const OutputCapture&) = delete;
  OutputCapture& operator=(const OutputCapture&) = delete;

  // From the next line on.
  void set(CaptureSettings settings);
  // Once.
  WriteEnds take_write_ends() noexcept { return std::move(write_ends_); }
  // Reads all there is now, without waiting and whatever happens to it: before tail() of the dead.
  void drain();
  // The last lines of stderr, oldest first (line_tail.h).
  [[nodiscard]] std::vector<std::string> tail() const;
  // Bytes given up because nobody read perch's own output.
  [[nodiscard]] std::uint64_t lost_bytes() const;

 private:
  OutputCapture(Loop& loop, const Destination& to, Source from, CaptureSettings settings);
  void on_dropped();
  void tell_dropped();

  Log& log_;
  Source from_;
  CaptureSettings settings_;
  WriteEnds write_ends_;
  std::unique_ptr<CaptureStream> out_;
  std::unique_ptr<CaptureStream> err_;
  Timer tell_;              // armed while lines were dropped that the log has not been told of
  std::uint64_t told_ = 0;  // dropped lines
};

}  // namespace perch
