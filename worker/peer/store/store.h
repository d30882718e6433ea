// SPDX-License-Identifier: Apache-2.0
// Store: the directory with all tasks, one process at a time (flock). Entries that are not tasks of
// ours are left alone. Nothing is read at the start but manifests and records; the data itself is
// looked at when its task is asked for.
#pragma once

#include <cstdint>
#include <string>

#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "worker/peer/store/task_files.h"

namespace perch::peer {

struct Census {
  std::uint64_t tasks = 0;
  std::uint64_t finished_tasks = 0;
  std::uint64_t pieces = 0;  // recorded as done
};

class Store {
 public:
  // Makes the directory (mode 0700) where it is missing. EWOULDBLOCK in the error when another
  // process has it.
  static Result<Store> open(const std::string& directory);

  [[nodiscard]] Census census() const;

  // ENOENT in the error when there is no such task. `id` has passed is_task_id().
  [[nodiscard]] Result<TaskFiles> find(const std::string& id) const;
  // Begins the task anew; its generation is the next one after what is there.
  [[nodiscard]] Result<TaskFiles> create(const std::string& id, Manifest manifest) const;
  [[nodiscard]] Result<void> remove(const std::string& id) const;

 private:
  Store(std::string tasks, UniqueFd lock) : tasks_(std::move(tasks)), lock_(std::move(lock)) {}
  [[nodiscard]] std::string directory_of(const std::string& id) const { return tasks_ + "/" + id; }

  std::string tasks_;
  UniqueFd lock_;
};

}  // namespace perch::peer
