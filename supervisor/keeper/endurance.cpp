// SPDX-License-Identifier: Apache-2.0
#include "supervisor/keeper/endurance.h"

#include <sys/mman.h>

#include <charconv>
#include <string>

#include "common/posix/file.h"

namespace perch::keeper {
namespace {

constexpr auto kScoreFile = "/proc/self/oom_score_adj";
constexpr auto kNeverKilled = "-1000";

}  // namespace

int lower_own_oom_score() {
  const std::string text = read_file(kScoreFile).value_or("");
  int score = 0;
  std::from_chars(text.data(), text.data() + text.size(), score);
  static_cast<void>(write_file(kScoreFile, kNeverKilled));
  return score;
}

void stay_resident() noexcept {
  static_cast<void>(::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
}

}  // namespace perch::keeper
