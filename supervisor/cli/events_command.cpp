// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/events_command.h"

#include <fmt/format.h>

#include "common/value/text.h"
#include "supervisor/cli/ask_perch.h"
#include "supervisor/cli/news.h"

namespace perch::cli {
namespace {

// What is no event of a perch that we know is shown as it came, made safe.
std::string shown(const std::string& line, const EventsOptions& options, Colour colour) {
  if (options.json) return line + "\n";
  const auto news = parse_news(line);
  return (news ? news_line(*news, colour) : printable(line)) + "\n";
}

std::string target_of(const EventsOptions& options) {
  return fmt::format("/v1/events?since={}&follow={}", options.since, options.follow ? 1 : 0);
}

int ended(const EventsOptions& options) {
  if (!options.follow) return static_cast<int>(ExitCode::Stopped);
  return complain(ExitCode::Unreachable,
                  "events: perch has ended the stream; is it still running?");
}

}  // namespace

int events_command(const EventsOptions& options) {
  auto lines = follow_perch("events", options.control, target_of(options));
  if (!lines) return lines.error();
  const Colour colour = colour_for_stdout();
  for (;;) {
    const auto line = lines->next(std::nullopt);
    if (!line) return complain(ExitCode::Unreachable, "events: " + line.error().text());
    if (!*line) return ended(options);
    if ((*line)->empty()) continue;
    if (const int code = print(shown(**line, options, colour)); code != 0) return code;
  }
}

}  // namespace perch::cli
