// SPDX-License-Identifier: Apache-2.0
// TaskSummary: what a task's directory says of it, read without touching anything: for lists,
// counts, and to choose what is collected.
#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstdint>
#include <string>

#include "worker/peer/store/directory.h"
#include "worker/peer/store/manifest.h"

namespace perch::peer {

using FileTime = std::chrono::sys_time<std::chrono::nanoseconds>;

struct TaskSummary {
  std::string id;
  Manifest manifest;
  std::uint32_t pieces_done = 0;
  std::uint64_t bytes_done = 0;  // those of unfinished pieces too
  bool finished = false;         // all pieces are there, and the data is as it was left
  FileTime updated = {};         // last use
};

// ENOENT in the error when there is no such task; no code when it can only be begun anew.
Result<TaskSummary> summary_of(const Directory& tasks, const std::string& id);

FileTime modified(const struct stat& status);
// Why `data` is not as the manifest has it; "" when it is.
std::string fault_of_data(const Manifest& manifest, const struct stat& data);

}  // namespace perch::peer
