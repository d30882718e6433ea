// SPDX-License-Identifier: Apache-2.0
// LogSink: where spdlog's messages become lines. Each message is one line, whatever bytes it has:
//   text  2026-01-01T00:00:00.000Z info  message
//   JSON  {"time":"2026-01-01T00:00:00.000Z","level":"info","message":"message"}
// Lines that nobody reads are dropped and counted, and the count is told when there is room again.
// On a loop, a message that comes again and again is written once a second, with its count
// (repeat_fold.h).
// Included by log*.cpp only, which keeps spdlog out of everybody else's way.
#pragma once

#include <spdlog/details/null_mutex.h>
#include <spdlog/sinks/base_sink.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/loop/timer.h"
#include "supervisor/non_blocking_writer.h"
#include "supervisor/repeat_fold.h"

namespace perch {

enum class LogLayout { Text, Json };

class LogSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit LogSink(int fd) : writer_(fd) {}

  void set_layout(LogLayout layout) noexcept { layout_ = layout; }
  Result<void> attach(Loop& loop);
  void detach();
  [[nodiscard]] bool pending() const noexcept { return writer_.pending(); }
  [[nodiscard]] std::uint64_t dropped() const noexcept;

 private:
  using Time = std::chrono::system_clock::time_point;
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override;
  [[nodiscard]] std::string line(Time time, spdlog::level::level_enum level,
                                 std::string_view text) const;
  void put(Time time, spdlog::level::level_enum level, std::string_view text);
  void tell_dropped();
  void tell_repeats();

  NonBlockingWriter writer_;
  LogLayout layout_ = LogLayout::Text;
  std::uint64_t refused_ = 0;  // lines the writer did not take
  std::uint64_t told_ = 0;     // of dropped()
  RepeatFold fold_;
  std::optional<Timer> fold_timer_;  // armed while something is folded
};

}  // namespace perch
