// SPDX-License-Identifier: Apache-2.0
#include "supervisor/resolve_access.h"

#include <unistd.h>

#include <string>
#include <string_view>

#include "supervisor/process/account.h"
#include "supervisor/process/overflow_ids.h"

namespace perch {
namespace {

constexpr std::string_view kUser = "user:";
constexpr std::string_view kGroup = "group:";

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
  const auto overflow = process::overflow_ids();
  access.overflow_uid = overflow.uid;
  access.overflow_gid = overflow.gid;
  const bool no_rules = config.readers.empty() && config.operators.empty();
  const uid_t own = ::geteuid();
  if (no_rules || !process::is_nobody_known(own)) access.own = own;
  if (auto done = add_all(config.readers, "perch.readers", access, access.readers); !done) {
    return std::unexpected(std::move(done.error()));
  }
  if (auto done = add_all(config.operators, "perch.operators", access, access.operators); !done) {
    return std::unexpected(std::move(done.error()));
  }
  return access;
}

}  // namespace perch
