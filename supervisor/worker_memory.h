// SPDX-License-Identifier: Apache-2.0
// WorkerMemory: the memory side of one worker, owned by its Instance: what it has for itself
// (OwnMemory), whose an OOM kill was, what is known of its memory at a death, when it
// is to be replaced for it, and the figures for the status.
//
// What a worker needs is counted in the cgroup that would kill it: its own where it has a limit or
// is the only worker's, else the container's with all that is in there. Where no cgroup has a limit
// it is that of its processes.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/loop.h"
#include "supervisor/config/schema.h"
#include "supervisor/control/status.h"
#include "supervisor/log.h"
#include "supervisor/oom_ledger.h"
#include "supervisor/own_memory.h"
#include "supervisor/process/kernel_log.h"
#include "supervisor/process/memory_evidence.h"
#include "supervisor/process/process_tree.h"
#include "supervisor/process/reaper.h"
#include "supervisor/recycling.h"

namespace perch {

class WorkerMemory {
 public:
  struct Around {
    Loop& loop;
    Log& log;
    OomLedger& shared;  // of perch's own cgroup
    const process::MemoryGround& ground;
    process::KernelLog& kernel_log;
  };
  // The instance, as its memory sees it.
  class Worker {
   public:
    virtual ~Worker() = default;
    [[nodiscard]] virtual process::Orphans orphans() const = 0;
    // Its processes.
    [[nodiscard]] virtual std::vector<pid_t> tree() const = 0;
    // Of those whose memory is counted together.
    [[nodiscard]] virtual bool has_the_most_memory() const = 0;
    // Is its generation's death under way, though not yet reaped?
    [[nodiscard]] virtual bool death_pending() const = 0;
    // The kernel killed processes below its main process, which goes on or is dead by now.
    virtual void on_oom_in_tree(std::uint64_t kills) = 0;
    // It needs too much, or lost a process to the OOM killer, and is to be replaced.
    virtual void on_memory_high(const std::string& why) = 0;
  };

  // All of it outlives this.
  WorkerMemory(const Around& around, std::string name, Worker& worker);

  // A generation is about to be spawned: the worker has its cgroups from here on, if it is to have
  // some.
  void before_spawn(const config::WorkerConfig& config);
  // It could not enter its cgroups: with others, or none, it may. False: that cannot be why.
  bool replace_refused(const config::WorkerConfig& config, const std::string& why);
  // How a child enters them.
  [[nodiscard]] process::CgroupEntry entry() const { return own_.entry(); }
  // Null: none of its own.
  [[nodiscard]] const process::WorkerCgroup* tree_cgroup() const { return own_.tree(); }
  // OOM kills that the shared ledger sees are none of this worker's.
  [[nodiscard]] bool has_own_ledger() const { return own_.cgroup() != nullptr; }

  // The generation runs.
  void after_spawn(const config::WorkerConfig& config);
  // The configuration is another one now.
  void adjust(const config::WorkerConfig& config) { own_.adjust(config); }
  // From now on it is replaced when it needs too much.
  void watch(const config::MemoryConfig& config);
  // It is ending or gone, nobody has to replace it any more.
  void stop_watching() { recycling_.stop(); }
  // Why it is being ended, if that is for its memory; part of the evidence.
  void blame(std::string why) { why_ = std::move(why); }

  struct Evidence {
    std::optional<std::string> oom_kill;  // it was one, and by what that is known
    process::MemoryEvidence memory;       // read where it was one
    std::string why;                      // as in blame()
  };
  // The main process is dead and not reaped yet.
  void on_dead(pid_t pid);
  // It was reaped. Books an OOM kill to it if there was one.
  Evidence claim_for_death(pid_t pid, const process::Exit& exit);
  // What the kernel log says of the death that was claimed last, if that was an OOM kill; once. It
  // may take a while: for when nobody waits.
  std::optional<process::OomVictim> find_victim();

  // Of the cgroup that the worker's memory is charged to; nothing where that is more than the
  // worker's.
  [[nodiscard]] control::Memory figures() const;
  // Whether that is counted together with other workers'.
  [[nodiscard]] bool is_counted_with_others() const;
  // Of this worker alone, by its cgroup or by its processes.
  [[nodiscard]] std::uint64_t own_bytes() const;

 private:
  void tell_never_recycled(const config::MemoryConfig& config);
  [[nodiscard]] OomLedger& ledger();
  [[nodiscard]] OomLedger::Counts counts() const;
  // With the generation dead, kills that are not its main process's are nobody else's.
  void tell_unclaimed();
  [[nodiscard]] process::MemoryEvidence evidence() const;
  // Its own cgroup, where that has a limit which counts; else null.
  [[nodiscard]] const process::MemoryCgroup* limited_alone() const;
  [[nodiscard]] process::MemoryCgroup counting_cgroup() const;
  [[nodiscard]] std::optional<std::uint64_t> unreclaimable() const;

  Around around_;
  std::string name_;
  Worker& worker_;
  OwnMemory own_;
  Recycling recycling_;
  std::optional<std::uint64_t> mark_;
  std::optional<config::MemoryConfig> told_never_recycled_;
  bool has_limit_ = false;                         // memory.max is configured
  std::string name_of_dead_;                       // where the kernel log is searched by it
  std::optional<pid_t> victim_;                    // not searched for yet
  std::chrono::steady_clock::time_point settled_;  // every kill until then is booked
  std::string why_;
};

}  // namespace perch
