// SPDX-License-Identifier: Apache-2.0
#include "supervisor/log_sink.h"

#include <fmt/format.h>

#include "common/value/text.h"
#include "supervisor/json_string.h"

namespace perch {
namespace {

std::string_view level_name(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::warn:
      return "warn";
    case spdlog::level::err:
    case spdlog::level::critical:
      return "error";
    case spdlog::level::info:
    case spdlog::level::off:
    case spdlog::level::n_levels:
      break;
  }
  return "info";
}

}  // namespace

std::string LogSink::line(Time time, spdlog::level::level_enum level, std::string_view text) const {
  const auto name = level_name(level);
  if (layout_ == LogLayout::Text) {
    return fmt::format("{} {:<5} {}\n", rfc3339(time), name, printable(text));
  }
  return fmt::format(R"({{"time":"{}","level":"{}","message":{}}})"
                     "\n",
                     rfc3339(time), name, json_string(text));
}

void LogSink::put(Time time, spdlog::level::level_enum level, std::string_view text) {
  if (!writer_.write(line(time, level, text))) ++refused_;
}

void LogSink::sink_it_(const spdlog::details::log_msg& message) {
  const std::string_view text(message.payload.data(), message.payload.size());
  if (fold_timer_ && fold_.fold(message.level, text, message.time)) {
    if (!fold_timer_->armed()) fold_timer_->arm(RepeatFold::kWindow);
    return;
  }
  tell_dropped();
  tell_repeats();
  fold_.begin(message.level, text, message.time);
  put(message.time, message.level, text);
}

Result<void> LogSink::attach(Loop& loop) {
  fold_timer_.emplace(loop, [this](std::chrono::milliseconds) { tell_repeats(); });
  return writer_.attach(loop, [this] { tell_dropped(); });
}

void LogSink::detach() {
  tell_repeats();
  fold_timer_.reset();
  writer_.detach();
}

void LogSink::flush_() {
  tell_repeats();
  writer_.flush();
}

void LogSink::tell_repeats() {
  if (!fold_.pending()) return;
  fold_timer_->disarm();
  const auto repeats = fold_.take(std::chrono::system_clock::now());
  put(repeats.last, static_cast<spdlog::level::level_enum>(repeats.level), repeats.text);
}

std::uint64_t LogSink::dropped() const noexcept { return refused_ + writer_.discarded_lines(); }

// A count that cannot be told now is told later, and not itself counted.
void LogSink::tell_dropped() {
  writer_.flush();
  const std::uint64_t untold = dropped() - told_;
  if (untold == 0) return;
  const auto text = fmt::format("log: dropped {} lines that nobody took", untold);
  const auto now = std::chrono::system_clock::now();
  if (writer_.write(line(now, spdlog::level::warn, text))) told_ += untold;
}

}  // namespace perch
