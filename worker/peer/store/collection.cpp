// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/collection.h"

#include <algorithm>
#include <limits>

namespace perch::peer {

std::vector<Candidate> to_collect(std::vector<Candidate> tasks, const GcLimits& limits,
                                  FileTime now) {
  std::ranges::sort(tasks, {}, &Candidate::last_use);
  std::uint64_t held = 0;
  for (const Candidate& task : tasks) held += task.bytes;
  const std::uint64_t allowed =
      limits.max_bytes.value_or(std::numeric_limits<std::uint64_t>::max());

  std::vector<Candidate> chosen;
  for (Candidate& task : tasks) {
    const bool too_old = limits.max_age && now - task.last_use > *limits.max_age;
    if (task.in_use || (!too_old && held <= allowed)) continue;
    held -= task.bytes;
    chosen.push_back(std::move(task));
  }
  return chosen;
}

}  // namespace perch::peer
