// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/news.h"

#include <fmt/format.h>

#include "supervisor/cli/json_fields.h"
#include "supervisor/cli/local_time.h"

namespace perch::cli {
namespace {

using nlohmann::json;

constexpr std::size_t kTypeWidth = 16;

int colour_of(const News& news) {
  constexpr int kRed = 31;
  constexpr int kGreen = 32;
  constexpr int kYellow = 33;
  constexpr int kCyan = 36;
  if (news.type == "reload-refused" || news.to == "failed") return kRed;
  if (news.type == "worker-death") return news.cause == "requested" ? kYellow : kRed;
  if (news.type == "oom-in-tree" || news.to == "backoff") return kYellow;
  return news.to == "ready" ? kGreen : kCyan;
}

}  // namespace

std::optional<News> parse_news(std::string_view line) {
  const auto event = json::parse(line, nullptr, false);
  if (!event.is_object()) return std::nullopt;
  const json death = event.value("death", json());
  return News{.id = number_at(event, "id"),
              .at = text_at(event, "at"),
              .type = text_at(event, "type"),
              .worker = text_at(event, "worker"),
              .generation = number_at(event, "generation"),
              .to = text_at(event, "to"),
              .cause = text_at(death, "cause"),
              .detail = text_at(death, "detail"),
              .message = text_at(event, "message")};
}

std::string news_line(const News& news, Colour colour) {
  // Padded first: escape sequences have no width.
  const std::string type =
      coloured(fmt::format("{:<{}}", news.type, kTypeWidth), colour_of(news), colour);
  return fmt::format("{} {} {}", local_time(news.at), type, news.message);
}

}  // namespace perch::cli
