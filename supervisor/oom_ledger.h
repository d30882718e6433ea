// SPDX-License-Identifier: Apache-2.0
// OomLedger: whose was an OOM kill? The kernel's counter is one for the whole cgroup, so every
// growth is booked once: to a generation that died by SIGKILL, or, when no death claims it within a
// moment, to some process inside a worker's tree ("oom-in-tree"). Where the cgroup counts one
// worker alone, nothing of a dead generation is left to the next one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "supervisor/process/memory_cgroup.h"
#include "supervisor/process/memory_evidence.h"
#include "supervisor/process/oom_counter.h"
#include "supervisor/process/oom_watch.h"

namespace perch {

class OomLedger {
 public:
  // How many kills nobody's death accounts for.
  using Unclaimed = std::function<void(std::uint64_t kills)>;
  // Is a generation's death under way, though not yet reaped?
  using DeathPending = std::function<bool()>;

  OomLedger(Loop& loop, process::MemoryCgroup cgroup, Unclaimed on_unclaimed,
            DeathPending death_pending);

  // News of kills inside the tree; an error says why there will be none before the next death.
  Result<void> watch();

  // Where kills inside the tree make no news, growth up to now is nobody's death to come.
  void before_spawn();

  // Whose kills are counted here.
  enum class Counts { OneWorker, Several };
  // A generation was reaped after SIGKILL: books growth to it, if there is any: of several workers'
  // one process, else all. The counter is final by then. The text is the evidence.
  std::optional<std::string> claim_for_death(Counts whose);

  // The generation of the one worker is dead: what its death did not claim were kills in its tree.
  std::uint64_t take_unclaimed();

  [[nodiscard]] process::MemoryEvidence memory() const {
    return process::read_memory_evidence(cgroup_);
  }
  [[nodiscard]] const process::MemoryCgroup& cgroup() const noexcept { return cgroup_; }

 private:
  void on_news();
  void settle();
  [[nodiscard]] process::OomCount now() const;

  Loop& loop_;
  process::MemoryCgroup cgroup_;
  process::OomCounter counter_;
  process::OomCount booked_;
  Unclaimed on_unclaimed_;
  DeathPending death_pending_;
  Timer grace_;
  std::optional<process::OomWatch> watch_;
};

}  // namespace perch
