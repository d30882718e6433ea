// SPDX-License-Identifier: Apache-2.0
// WorkerCgroups: what one worker has of cgroups, which depends on what this container lets perch
// do:
//   version 2, divided (Division)   one with limits, which also ends its tree
//   version 2, not divided          several workers: one that ends its tree, and nothing else
//   version 1                       one with a limit, where one is configured or there are several
//                                   workers: to enter it costs each start some milliseconds
// In a hybrid the last two go together.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "supervisor/process/cgroup_directory.h"
#include "supervisor/process/division.h"
#include "supervisor/process/memory_cgroup.h"
#include "supervisor/process/process_tree.h"
#include "supervisor/process/spawn.h"
#include "supervisor/process/worker_cgroup.h"

namespace perch::process {

class WorkerCgroups {
 public:
  // `ground` outlives this.
  WorkerCgroups(const MemoryGround& ground, std::string worker)
      : ground_(ground), worker_(std::move(worker)) {}

  // Before a spawn, with nothing of the worker alive: makes what is missing and what is used up. A
  // failure is remembered, not tried again before forget_failures(). True: memory() is new.
  enum class LimitWanted { No, Yes };
  bool prepare(Orphans workers, LimitWanted limit);
  void forget_failures() { tree_failed_ = version1_failed_ = false; }
  // A child could not enter them. prepare() makes fresh ones.
  void discard();
  // prepare() makes none before forget_failures().
  void do_without(std::string why);
  [[nodiscard]] bool any() const { return tree_ || version1_; }

  [[nodiscard]] CgroupEntry entry() const;
  // Null: none.
  [[nodiscard]] const WorkerCgroup* tree() const { return tree_ ? &*tree_ : nullptr; }
  // Null: it is accounted with others.
  [[nodiscard]] const MemoryCgroup* memory() const { return memory_ ? &*memory_ : nullptr; }
  // Why there is no memory(), where it was tried; else empty.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }

 private:
  struct Version1 {
    static Result<Version1> make(const std::string& container, std::string_view worker);
    CgroupDirectory directory;
    UniqueFd procs;
  };
  [[nodiscard]] std::string next_name();
  void make_tree();
  void make_version1();

  const MemoryGround& ground_;
  std::string worker_;
  unsigned made_ = 0;
  bool tree_failed_ = false;
  bool version1_failed_ = false;
  std::string trouble_;
  std::optional<WorkerCgroup> tree_;
  std::optional<Version1> version1_;
  std::optional<MemoryCgroup> memory_;
};

}  // namespace perch::process
