// SPDX-License-Identifier: Apache-2.0
// OwnMemory: what a worker has of cgroups, held to what is configured; and where its memory has one
// of its own, the ledger of its OOM kills and its peak. Part of WorkerMemory.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "supervisor/config/schema.h"
#include "supervisor/log.h"
#include "supervisor/oom_ledger.h"
#include "supervisor/process/memory_evidence.h"
#include "supervisor/process/memory_peak.h"
#include "supervisor/process/worker_cgroups.h"
#include "supervisor/process/worker_limits.h"

namespace perch {

class OwnMemory {
 public:
  struct Around {  // outlives this
    Loop& loop;
    Log& log;
    const process::MemoryGround& ground;
  };
  OwnMemory(const Around& around, std::string worker, OomLedger::Unclaimed on_oom_in_tree,
            OomLedger::DeathPending death_pending);

  // A generation is about to be spawned, and nothing of the last one lives.
  void before_spawn(const config::WorkerConfig& config, process::Orphans workers);
  // It could not enter its cgroups: they are fresh ones now, or at the second time none. False:
  // there were none.
  bool replace_refused(const config::WorkerConfig& config, process::Orphans workers,
                       const std::string& why);
  // What can wait until it runs.
  void after_spawn();
  // The configuration has changed: what failed is tried anew with the next start.
  void adjust(const config::WorkerConfig& config);
  // Limits as configured, and as the container's are by now. Says once what cannot be had. What
  // would kill the worker that runs waits for the next one.
  void apply(const config::WorkerConfig& config);

  [[nodiscard]] process::CgroupEntry entry() const { return cgroups_.entry(); }
  // Null: none of its own.
  [[nodiscard]] const process::WorkerCgroup* tree() const { return cgroups_.tree(); }
  // Of its memory; null where that is accounted with others'.
  [[nodiscard]] OomLedger* ledger() { return counted_ ? &counted_->ledger : nullptr; }
  [[nodiscard]] const process::MemoryCgroup* cgroup() const {
    return counted_ ? &counted_->ledger.cgroup() : nullptr;
  }
  // Where there is a ledger.
  [[nodiscard]] process::MemoryEvidence evidence() const;

 private:
  struct Counted {
    Counted(const process::MemoryCgroup& cgroup, OwnMemory& owner);
    OomLedger ledger;
    process::MemoryPeak peak;
    std::optional<process::WorkerLimits> applied;  // as a whole
  };
  void equip(const config::WorkerConfig& config, process::Orphans workers);
  void write(const process::WorkerLimits& limits);
  [[nodiscard]] bool would_kill(const process::WorkerLimits& limits) const;
  [[nodiscard]] process::WorkerLimits limits_of(const config::WorkerConfig& config);
  void tell_why_none();
  void tell_without_effect(const config::WorkerConfig& config);
  [[nodiscard]] std::string why_without(const config::WorkerConfig& config) const;
  void warn_once(const std::string& line);

  Around around_;
  std::string worker_;
  OomLedger::Unclaimed on_oom_in_tree_;
  OomLedger::DeathPending death_pending_;
  process::WorkerCgroups cgroups_;
  std::optional<Counted> counted_;
  bool is_fresh_ = false;  // made for this spawn because the last ones refused it
  std::set<std::string> said_;
};

}  // namespace perch
