// SPDX-License-Identifier: Apache-2.0
// OutputCapture: one generation's stdout and stderr as pipes that perch reads. What comes is passed
// on untouched to perch's own, and the last lines of stderr are kept. A slow reader of perch's
// output slows the worker down, as it would without perch; one that has taken nothing for
// kPatience loses what the worker writes from then on, until it reads again: neither perch nor the
// worker waits for ever.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/loop/loop.h"
#include "common/value/error.h"
#include "common/value/unique_fd.h"
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

  // The writers stand for perch's own stdout and stderr; they are shared by all captures, attached
  // to the loop, and outlive them.
  static Result<std::unique_ptr<OutputCapture>> create(
      Loop& loop, NonBlockingWriter& out, NonBlockingWriter& err,
      std::chrono::milliseconds patience = kPatience);
  // Reads what is left.
  ~OutputCapture();
  OutputCapture(const OutputCapture&) = delete;
  OutputCapture& operator=(const OutputCapture&) = delete;

  // Once.
  WriteEnds take_write_ends() noexcept { return std::move(write_ends_); }
  // Reads all there is now, without waiting and whatever happens to it: before tail() of the dead.
  void drain();
  // The last lines of stderr, oldest first (line_tail.h).
  [[nodiscard]] std::vector<std::string> tail() const;
  // Bytes given up because nobody read perch's own output.
  [[nodiscard]] std::uint64_t lost_bytes() const;

 private:
  class Stream;
  OutputCapture(WriteEnds write_ends, std::unique_ptr<Stream> out, std::unique_ptr<Stream> err);
  WriteEnds write_ends_;
  std::unique_ptr<Stream> out_;
  std::unique_ptr<Stream> err_;
};

}  // namespace perch
