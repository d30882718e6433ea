// SPDX-License-Identifier: Apache-2.0
// Goal: what somebody asked of a worker, and whether the news since then mean that it is reached,
// has failed, or is still to be waited for. Pure. Old news never count: those with a number not
// above `since`, and the end of the generation that was to end.
#pragma once

#include <cstdint>
#include <string>

#include "supervisor/cli/news.h"

namespace perch::cli {

enum class Request { Restart, Stop, Start };

// "restart"
std::string_view name(Request request);

struct Goal {
  Request request{};
  std::string worker;
  std::uint64_t since = 0;       // the number of the last event before perch acted
  std::uint64_t generation = 0;  // the one that lived or had lived then
  std::string state;             // right after
};

struct Verdict {
  enum class Kind { Waiting, Reached, Failed } kind = Kind::Waiting;
  std::string why{};  // of what is reached or failed, for people
  bool operator==(const Verdict&) const = default;
};

// By perch's answer alone.
Verdict judge(const Goal& goal);
Verdict judge(const Goal& goal, const News& news);

}  // namespace perch::cli
