// SPDX-License-Identifier: Apache-2.0
// Log: perch's own log on stderr, through spdlog and a sink that never blocks (log_sink.h). One
// event, one line; JSON or text. Passed by reference to who logs; there is no global logger.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "common/loop/loop.h"
#include "common/value/error.h"
#include "supervisor/config/schema.h"

namespace spdlog {
class logger;
}

namespace perch {

class LogSink;

class Log {
 public:
  // `fd` is borrowed; it is never set non-blocking, since others share its description.
  explicit Log(int fd = 2);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Auto: JSON unless the descriptor is a terminal.
  void configure(config::LogLevel level, config::LogFormat format);

  template <class... Args>
  void debug(fmt::format_string<Args...> text, Args&&... args) {
    if (enabled(config::LogLevel::Debug)) {
      write(config::LogLevel::Debug, fmt::format(text, std::forward<Args>(args)...));
    }
  }
  template <class... Args>
  void info(fmt::format_string<Args...> text, Args&&... args) {
    write(config::LogLevel::Info, fmt::format(text, std::forward<Args>(args)...));
  }
  template <class... Args>
  void warn(fmt::format_string<Args...> text, Args&&... args) {
    write(config::LogLevel::Warning, fmt::format(text, std::forward<Args>(args)...));
  }
  template <class... Args>
  void error(fmt::format_string<Args...> text, Args&&... args) {
    write(config::LogLevel::Error, fmt::format(text, std::forward<Args>(args)...));
  }

  // From here on what stays buffered is written when the loop finds room. detach() before the loop
  // goes, if the log outlives it.
  Result<void> attach(Loop& loop);
  void detach();

  // Tries to write what is still buffered, without waiting for a reader.
  void flush();
  [[nodiscard]] bool pending() const;
  // Lines given up because nobody read the other end.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  [[nodiscard]] bool enabled(config::LogLevel level) const;
  void write(config::LogLevel level, const std::string& text);

  int fd_;
  std::shared_ptr<LogSink> sink_;
  std::unique_ptr<spdlog::logger> logger_;
};

}  // namespace perch
