// SPDX-License-Identifier: Apache-2.0
#include "supervisor/log_sink.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "common/value/text.h"

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

// A JSON string, quotes included; bytes that are no UTF-8 become U+FFFD.
std::string quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::string LogSink::line(Time time, spdlog::level::level_enum level, std::string_view text) const {
  const auto name = level_name(level);
  if (layout_ == LogLayout::Text) {
    return fmt::format("{} {:<5} {}\n", rfc3339(time), name, printable(text));
  }
  return fmt::format(R"({{"time":"{}","level":"{}","message":{}}})"
                     "\n",
                     rfc3339(time), name, quoted(text));
}

void LogSink::sink_it_(const spdlog::details::log_msg& message) {
  tell_dropped();
  const std::string_view text(message.payload.data(), message.payload.size());
  if (!writer_.write(line(message.time, message.level, text))) ++refused_;
}

Result<void> LogSink::attach(Loop& loop) {
  return writer_.attach(loop, [this] { tell_dropped(); });
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
