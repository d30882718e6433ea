// SPDX-License-Identifier: Apache-2.0
// The resource limits by name, as setrlimit(2) has them without RLIMIT_ and in small letters. Pure.
#pragma once

#include <sys/resource.h>

#include <array>
#include <optional>
#include <string_view>

namespace perch::config {

struct RlimitName {
  std::string_view name;
  int resource;
};

inline constexpr auto kRlimitNames = std::to_array<RlimitName>({
    {"as", RLIMIT_AS},
    {"core", RLIMIT_CORE},
    {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},
    {"fsize", RLIMIT_FSIZE},
    {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK},
    {"msgqueue", RLIMIT_MSGQUEUE},
    {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC},
    {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},
    {"rttime", RLIMIT_RTTIME},
    {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
});

constexpr std::string_view rlimit_name(int resource) {
  for (const auto& known : kRlimitNames) {
    if (known.resource == resource) return known.name;
  }
  return "?";
}

}  // namespace perch::config
