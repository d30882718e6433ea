// SPDX-License-Identifier: Apache-2.0
// News: an event of a running perch as it came over its control socket. What another version of
// perch leaves out is empty. The texts are safe to show on a terminal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "supervisor/cli/terminal.h"

namespace perch::cli {

struct News {
  std::uint64_t id = 0;
  std::string at{};    // RFC 3339
  std::string type{};  // "worker-state"
  std::string worker{};
  std::uint64_t generation = 0;
  std::string to{};  // the state it is in now
  std::string cause{};
  std::string detail{};
  std::string message{};
};

// Nothing where the line is no event.
std::optional<News> parse_news(std::string_view line);

// "2026-01-31 12:00:00.000 worker-death   worker app: ...", in this machine's time zone.
std::string news_line(const News& news, Colour colour);

}  // namespace perch::cli
