// SPDX-License-Identifier: Apache-2.0
// Who may ask what on the control socket: root and perch's own user everything, others what the
// configuration gives them. Pure: names were resolved before, credentials are the kernel's.
// Whoever has no id in perch's user namespace looks like the overflow ids (user_namespaces(7)), as
// do all others of that kind: these ids never match a rule.
#pragma once

#include <sys/types.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace perch::control {

// Each has what those before it have.
enum class Right {
  None,
  Probe,  // livez, readyz, metrics
  Read,
  Operate
};

struct Credentials {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups{};  // supplementary ones
};

struct AccessRules {
  std::set<uid_t> users{};
  std::set<gid_t> groups{};
  bool operator==(const AccessRules&) const = default;
};

struct Access {
  // Absent where it is an overflow id and rules open the socket: anybody could look like it.
  std::optional<uid_t> own{};
  AccessRules readers{};
  AccessRules operators{};
  uid_t overflow_uid = 65534;
  gid_t overflow_gid = 65534;
  bool operator==(const Access&) const = default;
};

Right right_of(const Credentials& peer, const Access& access);

// One line for somebody who has no right at all: which key gives one.
std::string why_refused(const Credentials& peer, const Access& access);

// What the kernel has to let through, so that the rules can decide about the rest.
struct SocketRights {
  mode_t mode = 0600;
  std::optional<gid_t> group{};
  bool operator==(const SocketRights&) const = default;
};
SocketRights socket_rights(const Access& access);

}  // namespace perch::control
