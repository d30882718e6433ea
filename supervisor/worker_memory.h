// SPDX-License-Identifier: Apache-2.0
// WorkerMemory: the memory side of one worker, owned by its Instance: the cgroup that it has for
// itself where it has one, whose an OOM kill was, what is known of its memory at a death, and the
// figures for the status.
#pragma once

#include <optional>
#include <string>

#include "supervisor/control/status.h"
#include "supervisor/oom_ledger.h"
#include "supervisor/process/memory_evidence.h"
#include "supervisor/process/process_tree.h"
#include "supervisor/process/reaper.h"
#include "supervisor/process/worker_cgroup.h"

namespace perch {

class WorkerMemory {
 public:
  // `shared` is that of perch's own cgroup, and outlives this.
  WorkerMemory(OomLedger& shared, std::string worker);

  // A generation is about to be spawned: the worker has its cgroup from here on, if it is to have
  // one.
  void before_spawn(process::Orphans orphans);
  // The file by which a child enters it; empty: it stays in perch's.
  [[nodiscard]] std::string procs_path() const { return cgroup_ ? cgroup_->procs_path() : ""; }
  // Null: none of its own.
  [[nodiscard]] const process::WorkerCgroup* cgroup() const {
    return cgroup_ ? &*cgroup_ : nullptr;
  }

  struct Evidence {
    std::optional<std::string> oom_kill;  // it was one, and by what that is known
    process::MemoryEvidence memory;       // read where it was one
  };
  // A generation was reaped. Books an OOM kill to it if there was one.
  Evidence claim_for_death(const process::Exit& exit);

  // Of the cgroup that the worker's memory is charged to; nothing where that is more than the
  // worker's.
  [[nodiscard]] control::Memory figures(process::Orphans orphans) const;

 private:
  OomLedger& shared_;
  std::string worker_;
  std::optional<process::WorkerCgroup> cgroup_;
};

}  // namespace perch
