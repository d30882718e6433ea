// SPDX-License-Identifier: Apache-2.0
#include "supervisor/resolve_access.h"

#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>

#include "common/posix/file.h"
#include "supervisor/process/account.h"

namespace perch {
namespace {

constexpr std::string_view kUser = "user:";
constexpr std::string_view kGroup = "group:";

id_t number_in(const std::string& path, id_t otherwise) {
  const auto text = read_file(path);
  id_t number = otherwise;
  if (text) std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

// Outside of user namespaces everybody has an id: the overflow id is then just some user's.
bool everybody_has_an_id() {
  std::istringstream map(read_file("/proc/self/uid_map").value_or(""));
  std::uint64_t inside = 1;
  std::uint64_t outside = 1;
  std::uint64_t count = 0;
  map >> inside >> outside >> count;
  return inside == 0 && count == UINT32_MAX;
}

Result<void> add(const std::string& rule, const control::Access& access,
                 control::AccessRules& rules) {
  const bool names_user = rule.starts_with(kUser);
  const std::string name = rule.substr((names_user ? kUser : kGroup).size());
  const auto id = names_user ? process::resolve_user(name) : process::resolve_group(name);
  if (!id) return std::unexpected(id.error());
  if (*id == (names_user ? access.overflow_uid : access.overflow_gid)) {
    return refuse("\"" + rule + "\" is id " + std::to_string(*id) +
                  ", which stands for everybody who has none here; use another");
  }
  (names_user ? rules.users : rules.groups).insert(*id);
  return {};
}

Result<void> add_all(const std::vector<std::string>& words, std::string_view key,
                     const control::Access& access, control::AccessRules& rules) {
  for (const std::string& rule : words) {
    if (auto added = add(rule, access, rules); !added) {
      return fail_within(key, std::move(added.error()));
    }
  }
  return {};
}

}  // namespace

Result<control::Access> resolve_access(const config::PerchConfig& config) {
  control::Access access;
  access.overflow_uid = number_in("/proc/sys/kernel/overflowuid", access.overflow_uid);
  access.overflow_gid = number_in("/proc/sys/kernel/overflowgid", access.overflow_gid);
  const bool no_rules = config.readers.empty() && config.operators.empty();
  const uid_t own = ::geteuid();
  if (own != access.overflow_uid || no_rules || everybody_has_an_id()) access.own = own;
  if (auto done = add_all(config.readers, "perch.readers", access, access.readers); !done) {
    return std::unexpected(std::move(done.error()));
  }
  if (auto done = add_all(config.operators, "perch.operators", access, access.operators); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return access;
}

}  // namespace perch
