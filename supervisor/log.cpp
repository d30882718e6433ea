// SPDX-License-Identifier: Apache-2.0
#include "supervisor/log.h"

#include <spdlog/logger.h>
#include <unistd.h>

#include "supervisor/log_sink.h"

namespace perch {
namespace {

spdlog::level::level_enum spdlog_level(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::Debug:
      return spdlog::level::debug;
    case config::LogLevel::Info:
      return spdlog::level::info;
    case config::LogLevel::Warning:
      return spdlog::level::warn;
    case config::LogLevel::Error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

LogLayout layout_for(config::LogFormat format, int fd) {
  switch (format) {
    case config::LogFormat::Json:
      return LogLayout::Json;
    case config::LogFormat::Text:
      return LogLayout::Text;
    case config::LogFormat::Auto:
      break;
  }
  return ::isatty(fd) == 1 ? LogLayout::Text : LogLayout::Json;
}

}  // namespace

Log::Log(int fd)
    : fd_(fd),
      sink_(std::make_shared<LogSink>(fd)),
      logger_(std::make_unique<spdlog::logger>("perch", sink_)) {
  configure(config::LogLevel::Info, config::LogFormat::Auto);
}

Log::~Log() { flush(); }

void Log::configure(config::LogLevel level, config::LogFormat format) {
  logger_->set_level(spdlog_level(level));
  sink_->set_layout(layout_for(format, fd_));
}

Result<void> Log::attach(Loop& loop) { return sink_->attach(loop); }
void Log::detach() { sink_->detach(); }

void Log::flush() { sink_->flush(); }
bool Log::pending() const { return sink_->pending(); }
std::uint64_t Log::dropped() const { return sink_->dropped(); }

bool Log::enabled(config::LogLevel level) const { return logger_->should_log(spdlog_level(level)); }

void Log::write(config::LogLevel level, const std::string& text) {
  logger_->log(spdlog_level(level), spdlog::string_view_t(text.data(), text.size()));
}

}  // namespace perch
