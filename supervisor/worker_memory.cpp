// SPDX-License-Identifier: Apache-2.0
#include "supervisor/worker_memory.h"

#include <csignal>
#include <utility>

#include "common/posix/file.h"
#include "common/value/human.h"
#include "supervisor/config/memory_mark.h"
#include "supervisor/process/unreclaimable_memory.h"

namespace perch {
namespace {

// A generation that follows at once need not look for kills again.
constexpr std::chrono::milliseconds kAtOnce{10};

std::string mark_text(const config::MemoryMark& mark, std::uint64_t bytes,
                      std::optional<std::uint64_t> limit) {
  if (!std::holds_alternative<config::Percent>(mark) || !limit) return human_bytes(bytes);
  return config::memory_mark_text(mark) + " of " + human_bytes(*limit);
}

}  // namespace

WorkerMemory::WorkerMemory(const Around& around, std::string name, Worker& worker)
    : around_(around),
      name_(std::move(name)),
      worker_(worker),
      own_(
          {around.loop, around.log, around.ground}, name_,
          [this](std::uint64_t kills) { worker_.on_oom_in_tree(kills); },
          [this] { return worker_.death_pending(); }),
      recycling_(around.loop,
                 {.bytes = [this] { return unreclaimable(); },
                  .to_blame =
                      [this] { return !is_counted_with_others() || worker_.has_the_most_memory(); },
                  .replace = [this](const std::string& why) { worker_.on_memory_high(why); }}) {}

void WorkerMemory::before_spawn(const config::WorkerConfig& config) {
  recycling_.stop();
  if (std::chrono::steady_clock::now() - settled_ > kAtOnce) tell_unclaimed();
  why_.clear();
  own_.before_spawn(config, worker_.orphans());
  ledger().before_spawn();
}

bool WorkerMemory::replace_refused(const config::WorkerConfig& config, const std::string& why) {
  if (!own_.replace_refused(config, worker_.orphans(), why)) return false;
  ledger().before_spawn();
  return true;
}

// The container's limit may have changed meanwhile.
void WorkerMemory::after_spawn(const config::WorkerConfig& config) {
  own_.after_spawn();
  own_.apply(config);
  watch(config.memory);
}

OomLedger& WorkerMemory::ledger() {
  OomLedger* own = own_.ledger();
  return own != nullptr ? *own : around_.shared;
}

OomLedger::Counts WorkerMemory::counts() const {
  const bool alone = has_own_ledger() || worker_.orphans() == process::Orphans::OfOneWorker;
  return alone ? OomLedger::Counts::OneWorker : OomLedger::Counts::Several;
}

void WorkerMemory::tell_unclaimed() {
  if (counts() == OomLedger::Counts::Several) return;
  if (const auto kills = ledger().take_unclaimed(); kills > 0) worker_.on_oom_in_tree(kills);
}

process::MemoryEvidence WorkerMemory::evidence() const {
  return has_own_ledger() ? own_.evidence() : around_.shared.memory();
}

void WorkerMemory::watch(const config::MemoryConfig& config) {
  recycling_.stop();
  mark_.reset();
  has_limit_ = config.max.has_value();
  if (!config.recycle_at) return;
  const process::MemoryCgroup cgroup = counting_cgroup();
  // A limit that no cgroup enforces is kept by replacing the worker alone.
  auto limit = process::lowest_limit(cgroup);
  if (!limit) limit = config.max;
  mark_ = config::bytes_of(*config.recycle_at, limit);
  if (!mark_) return tell_never_recycled(config);
  recycling_.start({.rule = {.mark = *mark_, .limit = limit, .after = config.recycle_after},
                    .mark = mark_text(*config.recycle_at, *mark_, limit),
                    .cgroup = cgroup});
}

// Once for a configuration, not at each start.
void WorkerMemory::tell_never_recycled(const config::MemoryConfig& config) {
  if (std::exchange(told_never_recycled_, config) == config) return;
  around_.log.warn(
      "worker {}: recycle_at is {} of a limit, and it has none; it is never recycled: give the "
      "container a limit, or set memory.max, or write a size",
      name_, config::memory_mark_text(*config.recycle_at));
}

// Several workers without limits of their own can be at the container's while each of them is far
// from it.
const process::MemoryCgroup* WorkerMemory::limited_alone() const {
  const bool is_alone = has_limit_ || worker_.orphans() == process::Orphans::OfOneWorker;
  return is_alone ? own_.cgroup() : nullptr;
}

// At the root of a hierarchy it would be the whole host's, and where nobody is killed for what is
// in there, the rest of it is none of ours.
process::MemoryCgroup WorkerMemory::counting_cgroup() const {
  if (const auto* const own = limited_alone(); own != nullptr) return *own;
  const process::MemoryCgroup& shared = around_.shared.cgroup();
  if (shared.is_root || !process::lowest_limit(shared)) return {};
  return shared;
}

bool WorkerMemory::is_counted_with_others() const {
  return limited_alone() == nullptr && worker_.orphans() == process::Orphans::OfSeveral &&
         counting_cgroup().version != process::CgroupVersion::None;
}

std::uint64_t WorkerMemory::own_bytes() const {
  const auto counted =
      own_.cgroup() == nullptr ? std::nullopt : process::unreclaimable_bytes(*own_.cgroup());
  return counted ? *counted : process::resident_bytes(worker_.tree());
}

std::optional<std::uint64_t> WorkerMemory::unreclaimable() const {
  const auto counted = process::unreclaimable_bytes(counting_cgroup());
  return counted ? counted : own_bytes();
}

void WorkerMemory::on_dead(pid_t pid) {
  if (!around_.kernel_log.goes_by_name()) return;
  name_of_dead_ = read_file("/proc/" + std::to_string(pid) + "/comm").value_or("");
  if (name_of_dead_.ends_with('\n')) name_of_dead_.pop_back();
}

WorkerMemory::Evidence WorkerMemory::claim_for_death(pid_t pid, const process::Exit& exit) {
  Evidence found;
  found.why = std::exchange(why_, {});
  const bool may_be_oom_kill = exit.by_signal && exit.status == SIGKILL;
  if (may_be_oom_kill) {
    found.oom_kill = ledger().claim_for_death(counts());  // and leaves nothing of one worker's
  } else {
    tell_unclaimed();
  }
  settled_ = std::chrono::steady_clock::now();
  if (!found.oom_kill) return found;
  found.memory = evidence();
  victim_ = pid;
  return found;
}

std::optional<process::OomVictim> WorkerMemory::find_victim() {
  const auto pid = std::exchange(victim_, std::nullopt);
  return pid ? around_.kernel_log.find(*pid, name_of_dead_) : std::nullopt;
}

// With several workers in one nobody can say whose page cache it is.
control::Memory WorkerMemory::figures() const {
  control::Memory memory{.recycle_at_bytes = mark_};
  memory.nonreclaimable_bytes = is_counted_with_others() ? own_bytes() : unreclaimable();
  const bool shared_tells =
      !around_.shared.cgroup().is_root && worker_.orphans() == process::Orphans::OfOneWorker;
  if (!has_own_ledger() && !shared_tells) return memory;
  memory.cgroup = has_own_ledger() ? "own" : "shared";
  const process::MemoryEvidence found = evidence();
  memory.usage_bytes = found.usage_bytes;
  memory.limit_bytes = found.limit_bytes;
  memory.peak_bytes = found.peak_bytes;
  return memory;
}

}  // namespace perch
