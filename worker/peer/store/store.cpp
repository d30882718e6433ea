// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>

#include "common/posix/file.h"
#include "worker/peer/store/task_id.h"

namespace perch::peer {
namespace {

namespace fs = std::filesystem;

Result<void> make_directories(const std::string& path) {
  std::error_code problem;
  fs::create_directories(path, problem);
  if (problem) return fail("create " + path, problem.value());
  return {};
}

}  // namespace

Result<Store> Store::open(const std::string& directory) {
  const std::string tasks = directory + "/tasks";
  if (auto made = make_directories(tasks); !made) return std::unexpected(std::move(made.error()));
  if (::chmod(tasks.c_str(), 0700) != 0) return fail("chmod " + tasks);
  auto lock = open_file(directory + "/lock", O_RDWR | O_CREAT, 0600);
  if (!lock) return std::unexpected(std::move(lock.error()));
  if (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    return fail("store " + directory + " is in use by another perch-peer: lock");
  }
  return Store(tasks, std::move(*lock));
}

Census Store::census() const {
  Census census;
  std::error_code problem;
  for (fs::directory_iterator entry(tasks_, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    const std::string id = entry->path().filename();
    if (!is_task_id(id)) continue;
    const auto files = find(id);
    if (!files) continue;
    const std::uint32_t done = files->done_count();
    census.tasks += 1;
    census.pieces += done;
    if (done == files->layout().count()) ++census.finished_tasks;
  }
  return census;
}

Result<TaskFiles> Store::find(const std::string& id) const {
  return TaskFiles::open(directory_of(id));
}

Result<TaskFiles> Store::create(const std::string& id, Manifest manifest) const {
  if (const auto before = load_manifest(directory_of(id))) {
    manifest.generation = before->generation + 1;
  }
  return TaskFiles::create(directory_of(id), manifest);
}

Result<void> Store::remove(const std::string& id) const {
  // The manifest first, as in TaskFiles::create: half a removal is no task.
  const std::string directory = directory_of(id);
  if (::unlink((directory + "/manifest").c_str()) != 0 && errno != ENOENT) {
    return fail("unlink " + directory + "/manifest");
  }
  std::error_code problem;
  fs::remove_all(directory, problem);
  if (problem) return fail("remove " + directory, problem.value());
  return {};
}

}  // namespace perch::peer
