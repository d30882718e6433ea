// SPDX-License-Identifier: Apache-2.0
// HealKind: what somebody did to a listener and perch put right. With the first five the inode
// stays; the last two are new sockets, which the workers have to be given.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace perch::listener {

enum class HealKind {
  Removed,    // the path was gone and is linked again
  Replaced,   // a dead socket stood there and was exchanged
  Displaced,  // another file stood there and was moved aside
  Mode,       // the configured mode was set again
  Spare,      // the spare link was gone and is made again
  Rebound,    // no name was left: a new socket
  Reclaimed   // a worker had shut it down: a new socket
};

inline constexpr std::array kAllHealKinds{
    HealKind::Removed, HealKind::Replaced, HealKind::Displaced, HealKind::Mode,
    HealKind::Spare,   HealKind::Rebound,  HealKind::Reclaimed};

using HealCounts = std::array<std::uint64_t, kAllHealKinds.size()>;  // by HealKind

constexpr std::string_view name(HealKind kind) {
  switch (kind) {
    case HealKind::Removed:
      return "removed";
    case HealKind::Replaced:
      return "replaced";
    case HealKind::Displaced:
      return "displaced";
    case HealKind::Mode:
      return "mode";
    case HealKind::Spare:
      return "spare";
    case HealKind::Rebound:
      return "rebound";
    case HealKind::Reclaimed:
      return "reclaimed";
  }
  return "removed";
}

}  // namespace perch::listener
