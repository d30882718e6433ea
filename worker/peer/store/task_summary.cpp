// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/task_summary.h"

#include <algorithm>

#include "worker/peer/store/piece_records.h"

namespace perch::peer {

Result<TaskSummary> summary_of(const Directory& tasks, const std::string& id) {
  const auto task = tasks.child(id);
  if (!task) return std::unexpected(task.error());
  auto manifest = load_manifest(*task, id);
  if (!manifest) return std::unexpected(std::move(manifest.error()));
  const auto data = task->status_of("data");
  if (!data) return std::unexpected(data.error());
  const auto parsed = PieceRecords::read(*task, *manifest);
  if (!parsed) return std::unexpected(parsed.error());
  // Made anew with the first download when it is missing; until then the data's time will do.
  const auto state = task->status_of("state");

  TaskSummary summary{id, std::move(*manifest)};
  summary.pieces_done = done_count(parsed->records);
  summary.bytes_done = bytes_done(parsed->records);
  summary.finished = summary.pieces_done == summary.manifest.layout.count() &&
                     fault_of_data(summary.manifest, *data).empty();
  summary.updated = modified(state ? *state : *data);
  return summary;
}

FileTime modified(const struct stat& status) {
  // Anybody may have set any time; what nanoseconds cannot hold comes after all others.
  constexpr time_t kLast = 9'000'000'000;
  return FileTime(std::chrono::seconds(std::clamp<time_t>(status.st_mtim.tv_sec, 0, kLast)) +
                  std::chrono::nanoseconds(status.st_mtim.tv_nsec));
}

std::string fault_of_data(const Manifest& manifest, const struct stat& data) {
  if (!S_ISREG(data.st_mode)) return "not a regular file";
  const auto size = static_cast<std::uint64_t>(data.st_size);
  if (size != manifest.layout.length) {
    return std::to_string(size) + " bytes long, not " + std::to_string(manifest.layout.length);
  }
  const bool finished = manifest.finished != std::chrono::sys_seconds();
  if (finished && modified(data) != manifest.data_time) return "changed after it was finished";
  return "";
}

}  // namespace perch::peer
