// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/access.h"

#include <algorithm>

namespace perch::control {
namespace {

bool match(const AccessRules& rules, const Credentials& peer, const Access& access) {
  const auto has_group = [&](gid_t group) {
    return group != access.overflow_gid && rules.groups.contains(group);
  };
  return (peer.uid != access.overflow_uid && rules.users.contains(peer.uid)) ||
         has_group(peer.gid) || std::ranges::any_of(peer.groups, has_group);
}

}  // namespace

Right right_of(const Credentials& peer, const Access& access) {
  if (peer.uid == 0 || peer.uid == access.own) return Right::Operate;
  if (match(access.operators, peer, access)) return Right::Operate;
  return match(access.readers, peer, access) ? Right::Read : Right::None;
}

std::string why_refused(const Credentials& peer, const Access& access) {
  if (peer.uid == access.overflow_uid) {
    return "perch cannot tell who you are: your user has no id in perch's user namespace; ask as "
           "one that has";
  }
  return "user " + std::to_string(peer.uid) +
         " may not ask: put \"user:" + std::to_string(peer.uid) +
         "\" into perch.readers, to look, or into perch.operators, to act as well";
}

SocketRights socket_rights(const Access& access) {
  std::set<gid_t> groups = access.readers.groups;
  groups.insert(access.operators.groups.begin(), access.operators.groups.end());
  const bool users = !access.readers.users.empty() || !access.operators.users.empty();
  if (!users && groups.empty()) return {};
  if (!users && groups.size() == 1) return {.mode = 0660, .group = *groups.begin()};
  return {.mode = 0666};
}

}  // namespace perch::control
