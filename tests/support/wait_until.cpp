// SPDX-License-Identifier: Apache-2.0
#include "tests/support/wait_until.h"

#include <poll.h>

namespace perch::test {

void breathe() { (void)::poll(nullptr, 0, 2); }

}  // namespace perch::test
