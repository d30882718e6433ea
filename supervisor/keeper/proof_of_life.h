// SPDX-License-Identifier: Apache-2.0
// ProofOfLife: a pipe whose writing end this process alone holds, and its reading end, of which
// keepers get copies: it hangs up when the process is gone. It is one for all connections of a
// process, to whichever keeper: they know by it who lives, and who comes again.
#pragma once

#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch::keeper {

class ProofOfLife {
 public:
  // The reading end, lent. The pipe is made at the first call.
  Result<int> seen();

 private:
  UniqueFd held_;
  UniqueFd seen_;
};

}  // namespace perch::keeper
