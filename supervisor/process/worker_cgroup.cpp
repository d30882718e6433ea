// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/worker_cgroup.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <ranges>
#include <utility>

#include "common/posix/file.h"
#include "supervisor/process/cgroup_file.h"
#include "supervisor/process/memory_cgroup.h"

namespace perch::process {
namespace {

namespace fs = std::filesystem;

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

// A process outside of our PID namespace reads as 0.
void add_members(std::string_view procs, std::vector<pid_t>& pids) {
  for (const auto line : std::views::split(procs, '\n')) {
    const auto pid = plain_number(std::string_view(line));
    if (pid.value_or(0) != 0) pids.push_back(static_cast<pid_t>(*pid));
  }
}

}  // namespace

WorkerCgroup::WorkerCgroup(CgroupDirectory directory)
    : directory_(std::move(directory)), procs_path_(directory_.path() + "/cgroup.procs") {}

Result<WorkerCgroup> WorkerCgroup::create(std::string_view worker) {
  const auto own = own_unified_cgroup();
  if (!own) return refuse("no cgroup of version 2 is visible");
  return create_below(*own, worker);
}

Result<WorkerCgroup> WorkerCgroup::create_below(const std::string& parent,
                                                std::string_view worker) {
  auto movable = may_move_from(parent);
  if (!movable) return std::unexpected(std::move(movable.error()));
  remove_left_overs(parent, LeftOvers::Keep);
  auto directory = CgroupDirectory::make_for(parent, worker);
  if (!directory) return std::unexpected(std::move(directory.error()));
  WorkerCgroup cgroup(*std::move(directory));
  auto usable = require_usable(cgroup.directory());
  if (!usable) return std::unexpected(std::move(usable.error()));
  auto events = open_file(cgroup.directory() + "/cgroup.events", O_RDONLY);
  if (!events) return std::unexpected(std::move(events.error()));
  cgroup.events_ = *std::move(events);
  return cgroup;
}

Result<void> WorkerCgroup::kill() const {
  used_up_ = true;
  return write_file(directory() + "/cgroup.kill", "1");
}

bool WorkerCgroup::is_used_up() const {
  return used_up_ || !read_file(directory() + "/cgroup.subtree_control").value_or("").empty();
}

Result<bool> WorkerCgroup::populated() const {
  const auto events = read_open_file(events_.get());
  if (!events) return fail_within(directory() + "/cgroup.events", events.error());
  return keyed_number(*events, "populated").value_or(0) != 0;
}

Result<std::vector<pid_t>> WorkerCgroup::members() const {
  const auto text = read_file(procs_path_);
  if (!text) return std::unexpected(text.error());
  std::vector<pid_t> pids;
  add_members(*text, pids);
  // The worker may have made cgroups in its own, and may be removing them just now.
  std::error_code ignored;
  for (fs::recursive_directory_iterator entry(directory(), ignored), end; entry != end;
       entry.increment(ignored)) {
    if (!entry->is_directory(ignored)) continue;
    add_members(read_file(entry->path() / "cgroup.procs").value_or(""), pids);
  }
  return pids;
}

}  // namespace perch::process
