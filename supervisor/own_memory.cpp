// SPDX-License-Identifier: Apache-2.0
#include "supervisor/own_memory.h"

#include <fmt/ranges.h>

#include <utility>
#include <vector>

#include "common/value/human.h"
#include "supervisor/process/unreclaimable_memory.h"

namespace perch {
namespace {

using LimitWanted = process::WorkerCgroups::LimitWanted;

std::vector<std::string_view> keys_for_a_cgroup(const config::WorkerConfig& config) {
  std::vector<std::string_view> keys;
  if (config.memory.max) keys.emplace_back("memory.max");
  if (config.memory.high) keys.emplace_back("memory.high");
  if (config.pids_max) keys.emplace_back("pids_max");
  if (config.cpu_weight) keys.emplace_back("cpu_weight");
  return keys;
}

}  // namespace

// Without news of kills inside the tree the next death tells of them, as for the shared one.
OwnMemory::Counted::Counted(const process::MemoryCgroup& cgroup, OwnMemory& owner)
    : ledger(owner.around_.loop, cgroup, owner.on_oom_in_tree_, owner.death_pending_),
      peak(cgroup) {
  const auto watching = ledger.watch();
  if (watching) return;
  owner.warn_once(
      fmt::format("worker {}: OOM kills below it are not seen before it ends: {} (see "
                  "fs.inotify.max_user_instances)",
                  owner.worker_, watching.error().text()));
}

OwnMemory::OwnMemory(const Around& around, std::string worker, OomLedger::Unclaimed on_oom_in_tree,
                     OomLedger::DeathPending death_pending)
    : around_(around),
      worker_(std::move(worker)),
      on_oom_in_tree_(std::move(on_oom_in_tree)),
      death_pending_(std::move(death_pending)),
      cgroups_(around.ground, worker_) {}

void OwnMemory::before_spawn(const config::WorkerConfig& config, process::Orphans workers) {
  is_fresh_ = false;
  equip(config, workers);
}

// Limits that could not be had while the last generation lived can be now.
void OwnMemory::equip(const config::WorkerConfig& config, process::Orphans workers) {
  const auto limit = config.memory.max ? LimitWanted::Yes : LimitWanted::No;
  const bool is_new = cgroups_.prepare(workers, limit);
  const process::MemoryCgroup* memory = cgroups_.memory();
  if (is_new || memory == nullptr) counted_.reset();
  if (memory == nullptr) return tell_why_none();
  if (is_new) counted_.emplace(*memory, *this);
  if (!counted_->applied) write(limits_of(config));
}

bool OwnMemory::replace_refused(const config::WorkerConfig& config, process::Orphans workers,
                                const std::string& why) {
  if (!cgroups_.any()) return false;
  counted_.reset();
  if (std::exchange(is_fresh_, true)) {
    cgroups_.do_without(why);
    tell_why_none();
  } else {
    cgroups_.discard();
    equip(config, workers);
  }
  return true;
}

void OwnMemory::after_spawn() {
  if (counted_) counted_->peak.begin_anew();
}

void OwnMemory::adjust(const config::WorkerConfig& config) {
  cgroups_.forget_failures();
  apply(config);
}

void OwnMemory::apply(const config::WorkerConfig& config) {
  if (!counted_) return tell_without_effect(config);
  const process::WorkerLimits limits = limits_of(config);
  if (counted_->applied == limits) return;
  if (!would_kill(limits)) return write(limits);
  counted_->applied.reset();
  warn_once(
      fmt::format("worker {}: memory.max is {}, less than it has already: from its next "
                  "start on",
                  worker_, human_bytes(*limits.memory_max)));
}

bool OwnMemory::would_kill(const process::WorkerLimits& limits) const {
  const auto used = process::unreclaimable_bytes(counted_->ledger.cgroup());
  return limits.memory_max && used && *used > *limits.memory_max;
}

void OwnMemory::write(const process::WorkerLimits& limits) {
  const auto refused = process::apply_limits(counted_->ledger.cgroup(), limits);
  for (const std::string& line : refused) warn_once(fmt::format("worker {}: {}", worker_, line));
  counted_->applied.reset();
  if (refused.empty()) counted_->applied = limits;
}

// With version 1 the kernel kills one process at the container's limit, so that nobody needs to
// stay below it.
process::WorkerLimits OwnMemory::limits_of(const config::WorkerConfig& config) {
  const auto container = process::lowest_limit(around_.ground.container);
  const auto cap = container ? std::optional(process::left_to_workers(*container)) : std::nullopt;
  std::optional<std::uint64_t> max = config.memory.max;
  if (!max && counted_->ledger.cgroup().version == process::CgroupVersion::V2) max = cap;
  if (max && cap && *max > *cap) {
    warn_once(fmt::format(
        "worker {}: memory.max is {}, more than perch leaves of the container's {}: {} holds",
        worker_, human_bytes(*max), human_bytes(*container), human_bytes(*cap)));
    max = cap;
  }
  return {.memory_max = max,
          .memory_high = config.memory.high,
          .pids_max = config.pids_max,
          .cpu_weight = config.cpu_weight,
          .kill_as_one = config.on_child_oom == config::OnChildOom::Restart};
}

// Nothing is wrong where perch could not divide its cgroup; the tier says so.
void OwnMemory::tell_why_none() {
  if (cgroups_.trouble().empty()) return;
  warn_once(
      fmt::format("worker {}: it has no memory cgroup of its own, its OOM kills are the "
                  "container's: {}",
                  worker_, cgroups_.trouble()));
}

void OwnMemory::tell_without_effect(const config::WorkerConfig& config) {
  const auto keys = keys_for_a_cgroup(config);
  if (keys.empty()) return;
  warn_once(fmt::format("worker {}: {} without effect, it has no cgroup of its own: {}", worker_,
                        fmt::join(keys, ", "), why_without(config)));
}

std::string OwnMemory::why_without(const config::WorkerConfig& config) const {
  if (!cgroups_.trouble().empty()) return cgroups_.trouble();
  const bool is_v1 = around_.ground.container.version == process::CgroupVersion::V1;
  return is_v1 && config.memory.max ? "it comes with the next start" : around_.ground.obstacle;
}

void OwnMemory::warn_once(const std::string& line) {
  if (said_.insert(line).second) around_.log.warn("{}", line);
}

process::MemoryEvidence OwnMemory::evidence() const {
  if (!counted_) return {};
  process::MemoryEvidence found = counted_->ledger.memory();
  found.peak_bytes = counted_->peak.bytes();
  found.peak_is_older = counted_->peak.is_older();
  return found;
}

}  // namespace perch
