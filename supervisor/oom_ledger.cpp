// SPDX-License-Identifier: Apache-2.0
#include "supervisor/oom_ledger.h"

#include <fmt/format.h>

namespace perch {
namespace {

// The kernel counts a kill before it sends the SIGKILL, and a large process takes a while to go: a
// worker's own death has this long to claim it.
constexpr std::chrono::milliseconds kGrace{500};

}  // namespace

OomLedger::OomLedger(Loop& loop, process::MemoryCgroup cgroup, Unclaimed on_unclaimed,
                     DeathPending death_pending)
    : loop_(loop),
      cgroup_(std::move(cgroup)),
      counter_(process::OomCounter::open(cgroup_)),
      booked_(now()),
      on_unclaimed_(std::move(on_unclaimed)),
      death_pending_(std::move(death_pending)),
      grace_(loop, [this](std::chrono::milliseconds) { settle(); }) {}

Result<void> OomLedger::watch() {
  auto watch = process::OomWatch::create(loop_, cgroup_, [this] { on_news(); });
  if (!watch) return std::unexpected(std::move(watch.error()));
  watch_ = std::move(*watch);
  return {};
}

process::OomCount OomLedger::now() const { return counter_.read().value_or(process::OomCount{}); }

void OomLedger::before_spawn() {
  if (watch_) return;
  const process::OomCount count = now();
  if (process::grew(booked_, count) && !death_pending_()) booked_ = count;
}

std::optional<std::string> OomLedger::claim_for_death(Counts whose) {
  const process::OomCount count = now();
  if (!process::grew(booked_, count)) return std::nullopt;
  std::string evidence =
      fmt::format("oom_kill {} -> {} ({})", booked_.kills, count.kills, counter_.source());
  // A group kill took all there was; it counts its victim twice, also where the flag, and with it
  // group_kills, is a cgroup's above: the rest is nobody else's. Else one growth is one process,
  // and another may be another worker's.
  const bool all = whose == Counts::OneWorker || count.group_kills > booked_.group_kills;
  booked_ = all ? count : process::OomCount{true, booked_.kills + 1, count.group_kills};
  return evidence;
}

// Without a watch nobody heard of kills at a hierarchy's root, and they may be anybody's.
std::uint64_t OomLedger::take_unclaimed() {
  grace_.disarm();
  const process::OomCount count = now();
  if (!process::grew(booked_, count)) return 0;
  const std::uint64_t kills = count.kills - booked_.kills;
  booked_ = count;
  return watch_ || !cgroup_.is_root ? kills : 0;
}

void OomLedger::on_news() {
  if (process::grew(booked_, now()) && !grace_.armed()) grace_.arm(kGrace);
}

void OomLedger::settle() {
  const process::OomCount count = now();
  if (!process::grew(booked_, count)) return;
  if (death_pending_()) return grace_.arm(kGrace);
  const std::uint64_t kills = count.kills - booked_.kills;
  booked_ = count;
  on_unclaimed_(kills);
}

}  // namespace perch
