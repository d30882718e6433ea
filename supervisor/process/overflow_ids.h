// SPDX-License-Identifier: Apache-2.0
// OverflowIds: what everybody looks like who has no id in our user namespace (user_namespaces(7)).
// Such an id says nothing about who that is.
#pragma once

#include <sys/types.h>

namespace perch::process {

struct OverflowIds {
  uid_t uid = 65534;
  gid_t gid = 65534;
};
OverflowIds overflow_ids();

// In a user namespace that lacks ids. Outside, the overflow id is just some user's.
bool is_nobody_known(uid_t uid);

}  // namespace perch::process
