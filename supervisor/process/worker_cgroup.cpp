// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/worker_cgroup.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <ranges>
#include <utility>

#include "common/posix/file.h"
#include "supervisor/process/cgroup_file.h"
#include "supervisor/process/memory_cgroup.h"

namespace perch::process {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "perch-";

Result<UniqueFd> lock_directory(const std::string& path) {
  auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
  if (directory && ::flock(directory->get(), LOCK_EX | LOCK_NB) != 0) return fail("lock " + path);
  return directory;
}

// rmdir refuses with EBUSY while there are members, and open_file() finds nothing where another
// perch was faster: both are as they should be.
void remove_stale(const std::string& parent) {
  std::error_code ignored;
  for (fs::directory_iterator entry(parent, ignored), end; entry != end; entry.increment(ignored)) {
    const bool ours = entry->path().filename().native().starts_with(kPrefix);
    if (!ours || !entry->is_directory(ignored)) continue;
    const auto lock = lock_directory(entry->path());
    if (lock) ::rmdir(entry->path().c_str());
  }
}

Result<void> may_move_from(const std::string& parent) {
  // Whoever moves a process needs this right on the cgroup above both places (cgroup-v2.rst,
  // "Delegation Containment").
  const std::string procs = parent + "/cgroup.procs";
  if (::access(procs.c_str(), W_OK) != 0) return fail("write to " + procs);
  return {};
}

Result<void> require_usable(const std::string& directory) {
  const auto type = read_file(directory + "/cgroup.type");
  if (!type) return std::unexpected(type.error());
  if (*type != "domain\n") return refuse(directory + ": inside a threaded cgroup");
  const std::string kill = directory + "/cgroup.kill";
  if (::access(kill.c_str(), W_OK) != 0) return fail(kill + " (needs Linux 5.14)");
  return {};
}

Result<UniqueFd> make_locked(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0755) != 0) return fail("create cgroup " + directory);
  auto lock = lock_directory(directory);
  // Until it was locked, another perch that starts just now could take it for a left-over.
  if (lock && ::access(directory.c_str(), F_OK) != 0) return fail("create cgroup " + directory);
  return lock;
}

}  // namespace

WorkerCgroup::WorkerCgroup(std::string directory, UniqueFd lock)
    : directory_(std::move(directory)),
      procs_path_(directory_ + "/cgroup.procs"),
      lock_(std::move(lock)) {}

WorkerCgroup::~WorkerCgroup() {
  if (lock_) ::rmdir(directory_.c_str());
}

Result<WorkerCgroup> WorkerCgroup::create(std::string_view worker) {
  const auto own = own_unified_cgroup();
  if (!own) return refuse("no cgroup of version 2 is visible");
  return create_below(*own, worker);
}

Result<WorkerCgroup> WorkerCgroup::create_below(const std::string& parent,
                                                std::string_view worker) {
  if (worker.empty() || worker.contains('/')) {
    return refuse("cgroup for worker \"" + std::string(worker) + "\": not a file name");
  }
  auto movable = may_move_from(parent);
  if (!movable) return std::unexpected(std::move(movable.error()));
  remove_stale(parent);
  std::string directory = parent + "/" + std::string(kPrefix) + std::to_string(::getpid()) + "-";
  directory += worker;
  auto lock = make_locked(directory);
  if (!lock) return std::unexpected(std::move(lock.error()));
  WorkerCgroup cgroup(std::move(directory), *std::move(lock));
  auto usable = require_usable(cgroup.directory_);
  if (!usable) return std::unexpected(std::move(usable.error()));
  auto events = open_file(cgroup.directory_ + "/cgroup.events", O_RDONLY);
  if (!events) return std::unexpected(std::move(events.error()));
  cgroup.events_ = *std::move(events);
  return cgroup;
}

Result<void> WorkerCgroup::kill() const { return write_file(directory_ + "/cgroup.kill", "1"); }

Result<bool> WorkerCgroup::populated() const {
  const auto events = read_open_file(events_.get());
  if (!events) return fail_within(directory_ + "/cgroup.events", events.error());
  return keyed_number(*events, "populated").value_or(0) != 0;
}

Result<std::vector<pid_t>> WorkerCgroup::members() const {
  const auto text = read_file(procs_path_);
  if (!text) return std::unexpected(text.error());
  std::vector<pid_t> pids;
  for (const auto line : std::views::split(*text, '\n')) {
    // A process outside of our PID namespace reads as 0.
    const auto pid = plain_number(std::string_view(line));
    if (pid.value_or(0) != 0) pids.push_back(static_cast<pid_t>(*pid));
  }
  return pids;
}

}  // namespace perch::process
