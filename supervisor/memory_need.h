// SPDX-License-Identifier: Apache-2.0
// MemoryNeed: how much memory one worker needs that cannot be reclaimed, and when it is to be
// replaced for that. Owned by its Instance.
//
// It is counted in the cgroup that would kill it, with all that is in there. Where no cgroup has a
// limit it is that of its processes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/loop.h"
#include "supervisor/config/schema.h"
#include "supervisor/control/status.h"
#include "supervisor/log.h"
#include "supervisor/process/memory_cgroup.h"
#include "supervisor/process/process_tree.h"
#include "supervisor/recycling.h"

namespace perch {

class MemoryNeed {
 public:
  struct Around {
    Loop& loop;
    Log& log;
    const process::MemoryCgroup& shared;  // that of perch and its workers
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
    // It has been above its mark for too long.
    virtual void on_memory_high(const std::string& why) = 0;
  };

  // All of it outlives this.
  MemoryNeed(const Around& around, std::string name, Worker& worker);

  // The generation runs, or its configuration is another one now.
  void watch(const config::MemoryConfig& config);
  // Nothing runs, or it is ending.
  void stop_watching() { recycling_.stop(); }

  // Whether a cgroup counts it together with other workers.
  [[nodiscard]] bool is_counted_with_others() const;
  // Of its processes alone.
  [[nodiscard]] std::uint64_t tree_bytes() const;
  // Fills in what comes from here.
  void describe(control::Memory& memory) const;

 private:
  [[nodiscard]] process::MemoryCgroup counting_cgroup() const;
  [[nodiscard]] std::optional<std::uint64_t> unreclaimable() const;

  Around around_;
  std::string name_;
  Worker& worker_;
  Recycling recycling_;
  std::optional<std::uint64_t> mark_;
};

}  // namespace perch
