// SPDX-License-Identifier: Apache-2.0
#include "supervisor/keeper/endurance.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <charconv>
#include <string>

#include "common/posix/file.h"
#include "supervisor/process/capability_set.h"

namespace perch::keeper {
namespace {

constexpr auto kScoreFile = "/proc/self/oom_score_adj";
constexpr auto kNeverKilled = "-1000";

bool may_lock_all() noexcept {
  const auto held = process::CapabilitySet::effective();
  if (held && held->contains(CAP_IPC_LOCK)) return true;
  rlimit limit{};
  return ::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
}

}  // namespace

int lower_own_oom_score() {
  const std::string text = read_file(kScoreFile).value_or("");
  int score = 0;
  std::from_chars(text.data(), text.data() + text.size(), score);
  [[maybe_unused]] const auto lowered = write_file(kScoreFile, kNeverKilled);
  return score;
}

// Under a limit MCL_FUTURE would make a later mmap() fail, where the limit is reached.
void stay_resident() noexcept {
  const int future = may_lock_all() ? MCL_FUTURE : 0;
  static_cast<void>(::mlockall(MCL_CURRENT | MCL_ONFAULT | future));
}

}  // namespace perch::keeper
