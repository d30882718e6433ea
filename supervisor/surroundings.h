// SPDX-License-Identifier: Apache-2.0
// Surroundings: what every instance needs of the supervisor around it, and what it asks there of
// the other workers. Made by the Supervisor; all of it outlives the instances.
#pragma once

#include "supervisor/journal.h"
#include "supervisor/launch.h"
#include "supervisor/lifecycle/step.h"
#include "supervisor/log.h"
#include "supervisor/oom_ledger.h"
#include "supervisor/process/reaper.h"
#include "supervisor/worker_memory.h"

namespace perch {

class Instance;

struct Surroundings {
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_event(Instance& instance, lifecycle::Event event) = 0;
    // Is this the only worker whose processes may be about?
    virtual process::Orphans orphans() const = 0;
    // A child of perch that no worker made.
    virtual bool is_foreign(pid_t pid) const = 0;
    // Of the workers whose memory one cgroup counts together: is it the one that has the most, and
    // is none of them giving its own back just now?
    virtual bool has_the_most_memory(const Instance& instance) const = 0;
  };
  Owner& owner;
  Log& log;
  Journal& journal;
  Stage stage;
  process::Reaper& reaper;
  OomLedger& oom;
  const process::MemoryGround& ground;
  process::KernelLog& kernel_log;
  ListenerSet& listeners;
  int worker_oom_score;
};

}  // namespace perch
