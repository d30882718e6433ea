// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/worker_cgroups.h"

#include <fcntl.h>

#include "common/posix/file.h"

namespace perch::process {
namespace {

// Otherwise, before Linux 5.11, the container's limit would not hold for what is below it.
Result<void> require_hierarchy(const std::string& directory) {
  const auto text = read_file(directory + "/memory.use_hierarchy");
  if (text && *text == "0\n") return refuse(directory + ": memory.use_hierarchy is 0");
  return {};
}

}  // namespace

Result<WorkerCgroups::Version1> WorkerCgroups::Version1::make(const std::string& container,
                                                              std::string_view worker) {
  if (auto holds = require_hierarchy(container); !holds) return std::unexpected(holds.error());
  remove_left_overs(container, LeftOvers::Keep);
  auto directory = CgroupDirectory::make_for(container, worker);
  if (!directory) return std::unexpected(std::move(directory.error()));
  auto procs = open_file(directory->path() + "/cgroup.procs", O_WRONLY);
  if (!procs) return std::unexpected(std::move(procs.error()));
  return Version1{*std::move(directory), *std::move(procs)};
}

// The old one may still be on its way out.
std::string WorkerCgroups::next_name() {
  return ++made_ == 1 ? worker_ : worker_ + ":" + std::to_string(made_);
}

void WorkerCgroups::make_tree() {
  const bool divided = !ground_.divided.empty();
  auto tree = divided ? WorkerCgroup::create_below(ground_.divided, next_name())
                      : WorkerCgroup::create(next_name());
  tree_failed_ = !tree;
  if (!tree) {
    if (divided) trouble_ = tree.error().text();
    return;
  }
  tree_.emplace(*std::move(tree));
  if (divided) memory_ = MemoryCgroup{CgroupVersion::V2, tree_->directory(), false};
}

void WorkerCgroups::make_version1() {
  auto made = Version1::make(ground_.container.directory, worker_);
  version1_failed_ = !made;
  if (!made) {
    trouble_ = made.error().text();
    return;
  }
  version1_.emplace(*std::move(made));
  memory_ = MemoryCgroup{CgroupVersion::V1, version1_->directory.path(), false};
}

bool WorkerCgroups::prepare(Orphans workers, LimitWanted limit) {
  const bool several = workers == Orphans::OfSeveral;
  const bool divided = !ground_.divided.empty();
  if (tree_ && tree_->is_used_up()) {
    tree_.reset();
    if (divided) memory_.reset();
  }
  const bool had_memory = memory_.has_value();
  if (!tree_ && !tree_failed_ && (divided || several)) make_tree();
  const bool is_v1 = ground_.container.version == CgroupVersion::V1;
  const bool pays = several || limit == LimitWanted::Yes;
  if (is_v1 && pays && !version1_ && !version1_failed_) make_version1();
  return memory_ && !had_memory;
}

void WorkerCgroups::discard() {
  tree_.reset();
  version1_.reset();
  memory_.reset();
}

void WorkerCgroups::do_without(std::string why) {
  discard();
  trouble_ = std::move(why);
  tree_failed_ = version1_failed_ = true;
}

CgroupEntry WorkerCgroups::entry() const {
  CgroupEntry entry;
  if (tree_) entry = {.directory = tree_->directory_fd(), .procs = tree_->procs_path()};
  if (version1_) entry.memory_procs = version1_->procs.get();
  return entry;
}

}  // namespace perch::process
