// SPDX-License-Identifier: Apache-2.0
// CaptureStream: a pipe that a worker writes to, on its way to one of perch's own outputs. It reads
// no more while there is no room to write; after `patience` without any it reads on and gives up
// what does not fit, until there is room again.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/loop/fd_watcher.h"
#include "common/loop/timer.h"
#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/line_shaper.h"
#include "supervisor/line_tail.h"
#include "supervisor/non_blocking_writer.h"

namespace perch {

class CaptureStream {
 public:
  using milliseconds = std::chrono::milliseconds;

  // `pipe` is the non-blocking end to read. `on_dropped`: lines were above the rate.
  static Result<std::unique_ptr<CaptureStream>> create(Loop& loop, UniqueFd pipe,
                                                       NonBlockingWriter& to, LineShaper shaper,
                                                       milliseconds patience,
                                                       std::function<void()> on_dropped);
  CaptureStream(const CaptureStream&) = delete;
  CaptureStream& operator=(const CaptureStream&) = delete;

  void set(CaptureSettings settings) noexcept { shaper_.set(settings); }
  // Reads and writes all there is now, without waiting and whatever happens to it.
  void drain();
  // The same, and a last line without its end has one now.
  void finish();
  [[nodiscard]] const LineTail& tail() const noexcept { return tail_; }
  // Given up for want of room.
  [[nodiscard]] std::uint64_t lost_bytes() const noexcept { return lost_bytes_; }
  // Above the rate.
  [[nodiscard]] std::uint64_t dropped_lines() const noexcept { return shaper_.dropped(); }

 private:
  enum class Reader { Reads, GivenUp };  // whoever reads perch's output

  CaptureStream(Loop& loop, UniqueFd pipe, NonBlockingWriter& to, LineShaper shaper,
                milliseconds patience, std::function<void()> on_dropped);
  void on_readable();
  void on_retry();
  [[nodiscard]] bool has_room() const;
  void wait_for_room();
  bool read_chunk();
  bool write_held();
  void write_batch();
  void write(const std::string& batch);

  UniqueFd pipe_;
  NonBlockingWriter& to_;
  LineShaper shaper_;
  milliseconds patience_;
  std::function<void()> on_dropped_;
  std::optional<FdWatcher> watcher_;
  Timer retry_;
  std::chrono::steady_clock::time_point give_up_at_;
  Reader reader_ = Reader::Reads;
  std::string held_;  // read, and not yet written
  LineTail tail_;
  std::uint64_t lost_bytes_ = 0;
};

}  // namespace perch
