// SPDX-License-Identifier: Apache-2.0
// InterceptTotals: what interceptors answered for one worker, over all its generations, by call.
// A generation's own counts end with it; a counter for people never goes back.
#pragma once

#include "supervisor/control/status.h"
#include "supervisor/handover/intercept_answers.h"

namespace perch {

class InterceptTotals {
 public:
  // Of a generation that has ended.
  void add(const handover::InterceptCounts& ended);
  // With those of the generation that lives.
  [[nodiscard]] control::CallCounts with(const handover::InterceptCounts& living) const;

 private:
  handover::InterceptCounts ended_;
};

}  // namespace perch
