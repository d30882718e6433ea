// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/stored_tasks.h"

#include <algorithm>

#include "worker/peer/service/messages.h"
#include "worker/peer/store/task_id.h"

namespace perch::peer {
namespace {

using dfdaemon::v2::StatLocalTaskResponse;
using google::protobuf::Timestamp;
using enum grpc::StatusCode;

// Some bytes less than gRPC's default for the longest message: for what stands around the tasks.
constexpr std::size_t kMaxListBytes = (4U << 20U) - (4U << 10U);
constexpr std::uint64_t kMaxTinyBytes = 128;

void set_time(Timestamp& timestamp, FileTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  timestamp.set_seconds(seconds.time_since_epoch().count());
  timestamp.set_nanos(static_cast<std::int32_t>((time - seconds).count()));
}

common::v2::SizeScope size_scope(const PieceLayout& layout) {
  if (layout.length == 0) return common::v2::EMPTY;
  if (layout.length <= kMaxTinyBytes) return common::v2::TINY;
  return layout.count() == 1 ? common::v2::SMALL : common::v2::NORMAL;
}

// As Dragonfly's scheduler names a task's states.
const char* state_of(const TaskSummary& task, bool running) {
  if (task.finished) return "Succeeded";
  return running ? "Running" : "Pending";
}

// Those that are stored, as far as nobody is at work on them.
void add_pieces(const TaskFiles& files, common::v2::Task& task) {
  for (std::uint32_t number = 0; number < files.layout().count(); ++number) {
    if (files.done(number)) describe(files, number, *task.add_pieces());
  }
}

StatLocalTaskResponse describe(const TaskSummary& task) {
  StatLocalTaskResponse response;
  response.set_task_id(task.id);
  response.set_piece_length(task.manifest.layout.piece_length);
  response.set_content_length(task.manifest.layout.length);
  response.mutable_response_header()->insert(task.manifest.headers.begin(),
                                             task.manifest.headers.end());
  set_time(*response.mutable_created_at(), task.manifest.created);
  set_time(*response.mutable_updated_at(), task.updated);
  if (task.finished) set_time(*response.mutable_finished_at(), task.manifest.finished);
  return response;
}

grpc::Status status_of(const std::string& id, const Error& error) {
  if (error.is(ENOENT)) return {NOT_FOUND, "task " + id + ": not stored here"};
  return {INTERNAL, error.text()};
}

}  // namespace

StoredTasks::Answer<TaskSummary> StoredTasks::find(const std::string& id) const {
  if (!is_task_id(id)) {
    return std::unexpected(
        grpc::Status(INVALID_ARGUMENT, "task_id: not 64 lower-case hexadecimal digits"));
  }
  auto task = store_.stat(id);
  if (!task) return std::unexpected(status_of(id, task.error()));
  return std::move(*task);
}

StoredTasks::Answer<common::v2::Task> StoredTasks::stat(const std::string& id) const {
  const auto found = find(id);
  if (!found) return std::unexpected(found.error());
  const PieceLayout& layout = found->manifest.layout;
  common::v2::Task task;
  task.set_id(id);
  task.set_url(found->manifest.url);
  if (!found->manifest.digest.empty()) task.set_digest(found->manifest.digest);
  task.set_content_length(layout.length);
  task.set_piece_count(layout.count());
  task.set_size_scope(size_scope(layout));
  const bool running = downloads_.in_use(id);
  task.set_state(state_of(*found, running));
  task.set_peer_count(1);
  task.set_has_available_peer(found->finished);
  set_time(*task.mutable_created_at(), found->manifest.created);
  set_time(*task.mutable_updated_at(), found->updated);
  if (running) return task;
  if (const auto files = store_.find(id)) add_pieces(*files, task);
  return task;
}

StoredTasks::Answer<StatLocalTaskResponse> StoredTasks::stat_local(const std::string& id) const {
  const auto found = find(id);
  if (!found) return std::unexpected(found.error());
  return describe(*found);
}

StoredTasks::Answer<google::protobuf::Empty> StoredTasks::remove(const std::string& id) const {
  const auto found = find(id);
  if (!found) return std::unexpected(found.error());
  if (downloads_.in_use(id)) {
    return std::unexpected(
        grpc::Status(FAILED_PRECONDITION, "task " + id + ": it is being downloaded"));
  }
  if (auto removed = store_.remove(id); !removed) {
    return std::unexpected(grpc::Status(INTERNAL, removed.error().text()));
  }
  return google::protobuf::Empty();
}

StoredTasks::List StoredTasks::list() const {
  auto stored = store_.list();
  std::ranges::sort(stored, std::ranges::greater(), &TaskSummary::updated);
  List list;
  std::size_t bytes = 0;
  for (const TaskSummary& task : stored) {
    StatLocalTaskResponse description = describe(task);
    constexpr std::size_t kFieldHead = 6;
    bytes += description.ByteSizeLong() + kFieldHead;
    if (bytes > kMaxListBytes) {
      list.left_out = stored.size() - static_cast<std::size_t>(list.tasks.tasks_size());
      return list;
    }
    *list.tasks.add_tasks() = std::move(description);
  }
  return list;
}

}  // namespace perch::peer
