// SPDX-License-Identifier: Apache-2.0
// Division: perch's own cgroup of version 2, divided before any worker is started: perch moves into
// a leaf of it, and each worker can have a cgroup with limits of its own beside that leaf. "No
// internal processes" (cgroup-v2.rst) makes the move necessary, and asks that nobody else lives in
// the cgroup; a container's runtime that is to run something in it later (kubectl exec, runc exec)
// is refused there too and then joins the container's init in its leaf, a plain domain.
// What cannot be done as a whole is not done at all. When perch ends it is undone: of the
// controllers that perch switches on those go that were off before; none where somebody has made
// a cgroup beside perch's own. What a killed perch had switched on stays on for good. At the real
// root of the hierarchy, which other perches may divide as well, nobody moves and nothing is
// undone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/value/error.h"
#include "supervisor/process/cgroup_directory.h"
#include "supervisor/process/memory_cgroup.h"

namespace perch::process {

class Division {
 public:
  // Of the cgroup that this process is in, for memory. The error says why it stays whole, and what
  // would change that.
  static Result<Division> make();
  // The same with a given cgroup of this process and the controller that all is about.
  static Result<Division> make_in(const std::string& own, std::string_view controller);
  ~Division();
  Division(Division&&) noexcept = default;
  Division& operator=(Division&&) = delete;

  // Where the workers' cgroups are to be made.
  [[nodiscard]] const std::string& directory() const noexcept { return directory_; }

 private:
  explicit Division(std::string directory) : directory_(std::move(directory)) {}
  Result<void> enter_leaf();

  std::string directory_;
  std::vector<std::string> ours_;        // controllers that were off, and that perch switches on
  std::optional<CgroupDirectory> leaf_;  // none at the real root, where nobody needs to move
};

// What all workers' memory stands on.
struct MemoryGround {
  MemoryCgroup container{};  // whose limit holds for perch and all workers
  std::string divided{};     // where workers' cgroups with controllers are made; empty: nowhere
  std::string obstacle{};    // why nowhere
};
MemoryGround ground_of(const Result<Division>& division);

}  // namespace perch::process
