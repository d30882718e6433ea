// SPDX-License-Identifier: Apache-2.0
// Choices: the words of the configuration that stand for an enumerator, each in one table that
// reading, checking and showing share. Words the design has and this build has not are refused by
// name, so that nobody looks for a typing error.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/config/schema.h"
#include "supervisor/config/units.h"

namespace perch::config {

template <class E>
struct Choice {
  std::string_view word;
  E value;
};

inline constexpr auto kHandoverWays =
    std::to_array<Choice<HandoverWay>>({{"channel", HandoverWay::Channel},
                                        {"intercept", HandoverWay::Intercept},
                                        {"listen-fds", HandoverWay::ListenFds},
                                        {"stdin", HandoverWay::Stdin}});
inline constexpr auto kReadinessBys =
    std::to_array<Choice<ReadinessBy>>({{"notify", ReadinessBy::Notify},
                                        {"started", ReadinessBy::Started},
                                        {"bound", ReadinessBy::Bound}});
inline constexpr auto kRestartWhens =
    std::to_array<Choice<RestartWhen>>({{"always", RestartWhen::Always},
                                        {"on-failure", RestartWhen::OnFailure},
                                        {"never", RestartWhen::Never}});
inline constexpr auto kOnGiveUps =
    std::to_array<Choice<OnGiveUp>>({{"hold", OnGiveUp::Hold}, {"exit", OnGiveUp::Exit}});
inline constexpr auto kOnChildOoms = std::to_array<Choice<OnChildOom>>(
    {{"note", OnChildOom::Note}, {"restart", OnChildOom::Restart}});
inline constexpr auto kOnExits =
    std::to_array<Choice<OnExit>>({{"keep", OnExit::Keep}, {"unlink", OnExit::Unlink}});
inline constexpr auto kPeerCredentials = std::to_array<Choice<PeerCredentials>>(
    {{"perch", PeerCredentials::Perch}, {"worker", PeerCredentials::Worker}});
inline constexpr auto kLogFormats = std::to_array<Choice<LogFormat>>(
    {{"auto", LogFormat::Auto}, {"json", LogFormat::Json}, {"text", LogFormat::Text}});
inline constexpr auto kLogLevels = std::to_array<Choice<LogLevel>>({{"debug", LogLevel::Debug},
                                                                    {"info", LogLevel::Info},
                                                                    {"warning", LogLevel::Warning},
                                                                    {"error", LogLevel::Error}});

inline constexpr auto kCaptureFormats =
    std::to_array<Choice<CaptureFormat>>({{"raw", CaptureFormat::Raw},
                                          {"prefix", CaptureFormat::Prefix},
                                          {"json", CaptureFormat::Json}});

inline constexpr auto kLaterReadinessBys = std::to_array<std::string_view>({"probe"});

// "always, on-failure or never"
template <class E>
std::string words_of(std::span<const Choice<E>> choices) {
  std::string words;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) words += i + 1 == choices.size() ? " or " : ", ";
    words += choices[i].word;
  }
  return words;
}

template <class E>
Parsed<E> choose(std::string_view text, std::span<const Choice<E>> choices,
                 std::span<const std::string_view> later = {}) {
  for (const auto& choice : choices) {
    if (choice.word == text) return choice.value;
  }
  const bool known = std::ranges::find(later, text) != later.end();
  return std::unexpected(fmt::format(
      "{}; use {}",
      known ? in_quotes(text) + " is not in this build" : "unknown value " + in_quotes(text),
      words_of(choices)));
}

template <class E>
constexpr std::string_view word(E value, std::span<const Choice<E>> choices) {
  for (const auto& choice : choices) {
    if (choice.value == value) return choice.word;
  }
  return "?";
}

constexpr std::string_view word(HandoverWay value) {
  return word<HandoverWay>(value, kHandoverWays);
}
constexpr std::string_view word(ReadinessBy value) {
  return word<ReadinessBy>(value, kReadinessBys);
}
constexpr std::string_view word(RestartWhen value) {
  return word<RestartWhen>(value, kRestartWhens);
}
constexpr std::string_view word(OnGiveUp value) { return word<OnGiveUp>(value, kOnGiveUps); }
constexpr std::string_view word(OnChildOom value) { return word<OnChildOom>(value, kOnChildOoms); }
constexpr std::string_view word(OnExit value) { return word<OnExit>(value, kOnExits); }
constexpr std::string_view word(PeerCredentials value) {
  return word<PeerCredentials>(value, kPeerCredentials);
}
constexpr std::string_view word(LogFormat value) { return word<LogFormat>(value, kLogFormats); }
constexpr std::string_view word(CaptureFormat value) {
  return word<CaptureFormat>(value, kCaptureFormats);
}
constexpr std::string_view word(LogLevel value) { return word<LogLevel>(value, kLogLevels); }

}  // namespace perch::config
