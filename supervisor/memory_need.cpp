// SPDX-License-Identifier: Apache-2.0
#include "supervisor/memory_need.h"

#include "supervisor/cli/human.h"
#include "supervisor/config/memory_mark.h"
#include "supervisor/process/memory_evidence.h"
#include "supervisor/process/unreclaimable_memory.h"

namespace perch {
namespace {

std::string mark_text(const config::MemoryMark& mark, std::uint64_t bytes,
                      std::optional<std::uint64_t> limit) {
  if (!std::holds_alternative<config::Percent>(mark) || !limit) return cli::human_bytes(bytes);
  return config::memory_mark_text(mark) + " of " + cli::human_bytes(*limit);
}

}  // namespace

MemoryNeed::MemoryNeed(const Around& around, std::string name, Worker& worker)
    : around_(around),
      name_(std::move(name)),
      worker_(worker),
      recycling_(around.loop,
                 {.bytes = [this] { return unreclaimable(); },
                  .to_blame =
                      [this] { return !is_counted_with_others() || worker_.has_the_most_memory(); },
                  .replace = [this](const std::string& why) { worker_.on_memory_high(why); }}) {}

void MemoryNeed::watch(const config::MemoryConfig& config) {
  recycling_.stop();
  mark_.reset();
  if (!config.recycle_at) return;
  const process::MemoryCgroup cgroup = counting_cgroup();
  // A limit that no cgroup enforces is kept by replacing the worker alone.
  auto limit = process::lowest_limit(cgroup);
  if (!limit) limit = config.max;
  mark_ = config::bytes_of(*config.recycle_at, limit);
  if (!mark_) {
    return around_.log.warn(
        "worker {}: recycle_at is {} of a limit, and it has none; it is never recycled: give the "
        "container a limit, or set memory.max, or write a size",
        name_, config::memory_mark_text(*config.recycle_at));
  }
  recycling_.start({.rule = {.mark = *mark_, .limit = limit, .after = config.recycle_after},
                    .mark = mark_text(*config.recycle_at, *mark_, limit),
                    .cgroup = cgroup});
}

// At the root of a hierarchy it would be the whole host's, and where nobody is killed for what is
// in there, the rest of it is none of ours.
process::MemoryCgroup MemoryNeed::counting_cgroup() const {
  if (around_.shared.is_root || !process::lowest_limit(around_.shared)) return {};
  return around_.shared;
}

bool MemoryNeed::is_counted_with_others() const {
  return worker_.orphans() == process::Orphans::OfSeveral &&
         counting_cgroup().version != process::CgroupVersion::None;
}

std::uint64_t MemoryNeed::tree_bytes() const { return process::resident_bytes(worker_.tree()); }

std::optional<std::uint64_t> MemoryNeed::unreclaimable() const {
  const auto counted = process::unreclaimable_bytes(counting_cgroup());
  return counted ? counted : tree_bytes();
}

void MemoryNeed::describe(control::Memory& memory) const {
  memory.recycle_at_bytes = mark_;
  memory.nonreclaimable_bytes = is_counted_with_others() ? tree_bytes() : unreclaimable();
}

}  // namespace perch
