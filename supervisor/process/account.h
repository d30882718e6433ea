// SPDX-License-Identifier: Apache-2.0
// Users and groups by name or number, from /etc/passwd and /etc/group themselves: a fully static
// program has no NSS, so accounts of a directory service are reached by number only. A name wins
// over a number that reads the same, as in chown(1).
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/value/error.h"

namespace perch::process {

struct AccountFiles {
  std::string passwd = "/etc/passwd";
  std::string group = "/etc/group";
};

// Who a process runs as.
struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary ones; `gid` is among them
  std::string name;           // the number where the user has no entry
  std::string home = "/";
};

Result<uid_t> resolve_user(const std::string& name_or_number, const AccountFiles& files = {});
Result<gid_t> resolve_group(const std::string& name_or_number, const AccountFiles& files = {});

// `user` is not empty. An empty `group` means the user's own; a number without an entry has none,
// and since the usual stand-in would be gid 0, the group must then be given. Supplementary groups
// are those which /etc/group lists the user in; a number without an entry has none.
Result<Account> resolve_account(const std::string& user, const std::string& group,
                                const AccountFiles& files = {});

}  // namespace perch::process
