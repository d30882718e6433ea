// SPDX-License-Identifier: Apache-2.0
#include "supervisor/worker_memory.h"

#include <csignal>

namespace perch {

WorkerMemory::WorkerMemory(OomLedger& shared, std::string worker)
    : shared_(shared), worker_(std::move(worker)) {}

void WorkerMemory::before_spawn(process::Orphans orphans) {
  shared_.before_spawn();
  if (cgroup_ || orphans != process::Orphans::OfSeveral) return;
  if (auto cgroup = process::WorkerCgroup::create(worker_)) cgroup_.emplace(std::move(*cgroup));
}

WorkerMemory::Evidence WorkerMemory::claim_for_death(const process::Exit& exit) {
  Evidence evidence;
  if (exit.by_signal && exit.status == SIGKILL) evidence.oom_kill = shared_.claim_for_death();
  if (evidence.oom_kill) evidence.memory = shared_.memory();
  return evidence;
}

// At the root of a hierarchy it would be the whole host's, and with several workers nobody can say
// whose memory it is.
control::Memory WorkerMemory::figures(process::Orphans orphans) const {
  if (shared_.cgroup().is_root || orphans != process::Orphans::OfOneWorker) return {};
  const process::MemoryEvidence found = shared_.memory();
  return {.usage_bytes = found.usage_bytes,
          .limit_bytes = found.limit_bytes,
          .peak_bytes = found.peak_bytes};
}

}  // namespace perch
