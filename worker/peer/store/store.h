// SPDX-License-Identifier: Apache-2.0
// Store: the directory with all tasks, one process at a time (flock). Entries that are not tasks of
// ours are left alone. Nothing is read at the start but names; a task is looked at when it is asked
// for. It never follows a symbolic link, and refuses a directory in which others can write.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "worker/peer/store/collection.h"
#include "worker/peer/store/task_files.h"
#include "worker/peer/store/task_summary.h"

namespace perch::peer {

struct Census {
  std::uint64_t tasks = 0;
  std::uint64_t finished_tasks = 0;
  std::uint64_t pieces = 0;  // recorded as done
  std::uint64_t bytes = 0;   // recorded of unfinished pieces too: need not be fetched again
};

// This boot of the machine, as the kernel names it.
Result<std::string> current_boot_id();

class Store {
 public:
  // Makes the directory (mode 0700) where it is missing. EWOULDBLOCK in the error when another
  // process has it.
  static Result<Store> open(const std::string& directory, StoreContext context);

  // `id` has passed is_task_id(), here and below. ENOENT in the error when there is no such task,
  // or none that could be gone on with, which has then been said.
  [[nodiscard]] Result<TaskFiles> find(const std::string& id) const;
  // Begins the task anew; its generation is the next one after what is there.
  [[nodiscard]] Result<TaskFiles> create(const std::string& id, Manifest manifest) const;
  [[nodiscard]] Result<TaskFiles> create_unsized(const std::string& id, Manifest manifest) const;
  // Also what is no task any more, or not yet.
  [[nodiscard]] Result<void> remove(const std::string& id) const;

  [[nodiscard]] Result<TaskSummary> stat(const std::string& id) const;
  [[nodiscard]] std::vector<TaskSummary> list() const;
  [[nodiscard]] Census census() const;

  // Removes what the limits say, and what an end in the middle of create() or remove() has left.
  // Returns the tasks that went; what could not be removed is said.
  std::vector<Candidate> collect(const GcLimits& limits,
                                 const std::function<bool(const std::string& id)>& in_use) const;

 private:
  Store(Directory tasks, UniqueFd lock, StoreContext context);
  using Maker = Result<TaskFiles> (*)(Directory, Manifest, const StoreContext&);
  [[nodiscard]] Result<TaskFiles> make(const std::string& id, Manifest manifest, Maker maker) const;
  // Names that could be tasks.
  [[nodiscard]] std::vector<std::string> ids() const;
  void say_what_is_foreign() const;
  void say(const std::string& line) const;

  Directory tasks_;
  UniqueFd lock_;
  StoreContext context_;
};

}  // namespace perch::peer
