// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/store/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/posix/file.h"
#include "worker/peer/store/task_id.h"

namespace perch::peer {
namespace {

namespace fs = std::filesystem;

Result<void> make_directories(const std::string& path) {
  std::error_code problem;
  if (fs::exists(path, problem)) return {};
  fs::create_directories(fs::path(path).parent_path(), problem);
  if (problem) return fail("create " + path, problem.value());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail("create " + path);
  return {};
}

Result<void> must_be_ours(const Directory& directory) {
  const auto status = directory.status();
  if (!status) return std::unexpected(status.error());
  if (status->st_uid != ::geteuid()) {
    return refuse("store " + directory.path() + ": belongs to user " +
                  std::to_string(status->st_uid) + ", not to us (" + std::to_string(::geteuid()) +
                  "): chown it, or name another directory");
  }
  if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return refuse("store " + directory.path() +
                  ": others can write in it: chmod go-w, or name a directory within it");
  }
  return {};
}

Result<UniqueFd> lock(const Directory& root) {
  auto file = root.file("lock", O_RDWR | O_CREAT);
  if (!file) return file;
  if (::flock(file->get(), LOCK_EX | LOCK_NB) != 0) {
    return fail("store " + root.path() + " is in use by another perch-peer: lock");
  }
  return file;
}

}  // namespace

Result<std::string> current_boot_id() {
  auto text = read_file("/proc/sys/kernel/random/boot_id");
  if (text && text->ends_with('\n')) text->pop_back();
  return text;
}

Store::Store(Directory tasks, UniqueFd lock, StoreContext context)
    : tasks_(std::move(tasks)), lock_(std::move(lock)), context_(std::move(context)) {}

Result<Store> Store::open(const std::string& directory, StoreContext context) {
  if (auto made = make_directories(directory); !made) return std::unexpected(made.error());
  const auto root = Directory::open(directory);
  if (!root) return std::unexpected(root.error());
  if (auto ours = must_be_ours(*root); !ours) return std::unexpected(ours.error());
  auto locked = lock(*root);
  if (!locked) return std::unexpected(std::move(locked.error()));
  auto tasks = root->make_child("tasks");
  if (!tasks) return std::unexpected(std::move(tasks.error()));
  if (auto ours = must_be_ours(*tasks); !ours) return std::unexpected(ours.error());
  Store store(std::move(*tasks), std::move(*locked), std::move(context));
  store.say_what_is_foreign();
  return store;
}

Result<TaskFiles> Store::find(const std::string& id) const {
  auto task = tasks_.child(id);
  if (!task) return std::unexpected(std::move(task.error()));
  auto files = TaskFiles::open(std::move(*task), id, context_);
  if (files || files.error().code()) return files;
  say(files.error().text() + ": the task is begun anew");
  return fail(tasks_.path_of(id), ENOENT);
}

Result<TaskFiles> Store::make(const std::string& id, Manifest manifest, Maker maker) const {
  auto task = tasks_.make_child(id);
  if (!task) return std::unexpected(std::move(task.error()));
  if (const auto before = load_manifest(*task, id)) manifest.generation = before->generation + 1;
  manifest.id = id;
  auto files = maker(std::move(*task), std::move(manifest), context_);
  // What did not fit leaves its room to others.
  if (!files && !remove(id)) say(tasks_.path_of(id) + ": half made, and cannot be removed");
  return files;
}

Result<TaskFiles> Store::create(const std::string& id, Manifest manifest) const {
  return make(id, std::move(manifest), &TaskFiles::create);
}

Result<TaskFiles> Store::create_unsized(const std::string& id, Manifest manifest) const {
  return make(id, std::move(manifest), &TaskFiles::create_unsized);
}

Result<void> Store::remove(const std::string& id) const {
  const auto task = tasks_.child(id);
  if (!task && task.error().is(ENOENT)) return {};
  if (!task) return std::unexpected(task.error());
  // The manifest first: half a removal is no task.
  if (auto gone = task->remove_file("manifest"); !gone) return gone;
  return tasks_.remove_child(id);
}

Result<TaskSummary> Store::stat(const std::string& id) const { return summary_of(tasks_, id); }

std::vector<TaskSummary> Store::list() const {
  std::vector<TaskSummary> tasks;
  for (const std::string& id : ids()) {
    if (auto summary = stat(id)) tasks.push_back(std::move(*summary));
  }
  return tasks;
}

Census Store::census() const {
  Census census;
  for (const TaskSummary& task : list()) {
    census.tasks += 1;
    census.finished_tasks += task.finished ? 1 : 0;
    census.pieces += task.pieces_done;
    census.bytes += task.bytes_done;
  }
  return census;
}

std::vector<Candidate> Store::collect(
    const GcLimits& limits, const std::function<bool(const std::string& id)>& in_use) const {
  std::vector<Candidate> candidates;
  std::vector<Candidate> removed;
  const auto take = [&](Candidate candidate) {
    if (auto gone = remove(candidate.id); !gone) return say(gone.error().text());
    removed.push_back(std::move(candidate));
  };
  for (const std::string& id : ids()) {
    const auto task = stat(id);
    if (task) {
      candidates.push_back({id, task->manifest.layout.length, task->updated, in_use(id)});
    } else if (!in_use(id) && (task.error().is(ENOENT) || !task.error().code())) {
      say(task.error().text() + ": no whole task, removed");
      take({.id = id});
    }
  }
  for (Candidate& chosen : to_collect(std::move(candidates), limits, FileTime::clock::now())) {
    take(std::move(chosen));
  }
  return removed;
}

std::vector<std::string> Store::ids() const {
  auto names = tasks_.names();
  if (!names) {
    say(names.error().text());
    return {};
  }
  std::erase_if(*names, [this](const std::string& name) {
    const auto status = tasks_.status_of(name);
    return !is_task_id(name) || !status || !S_ISDIR(status->st_mode);
  });
  return *std::move(names);
}

void Store::say_what_is_foreign() const {
  const auto names = tasks_.names();
  if (!names) return say(names.error().text());
  const auto ours = ids();
  for (const std::string& name : *names) {
    if (std::ranges::find(ours, name) == ours.end()) {
      say(tasks_.path_of(name) + ": not a task's directory: left alone");
    }
  }
}

void Store::say(const std::string& line) const {
  if (context_.on_fault) context_.on_fault(line);
}

}  // namespace perch::peer
