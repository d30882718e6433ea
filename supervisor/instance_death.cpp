// SPDX-License-Identifier: Apache-2.0
// How a generation of an Instance ends: seen dead, reaped, concluded.
#include <fmt/format.h>

#include <random>
#include <utility>

#include "supervisor/death_report.h"
#include "supervisor/instance.h"

namespace perch {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

bool Instance::death_pending() const {
  return generation_ && !reaped_ && process::is_exiting(generation_->pid);
}

void Instance::on_dead() {
  memory_.on_dead(generation_->pid);
  generation_->drain();
  if (const std::uint64_t lost = generation_->lost_output(); lost > 0) {
    around_.log.warn("worker {}: {} bytes of its output were lost: nobody reads perch's", name_,
                     lost);
  }
  left_behind_ = false;
  if (generation_->successor && !process::is_exiting(*generation_->successor)) return;
  generation_->successor.reset();
  const process::Sweep swept = sweep(0);
  left_behind_ = !swept.killed.empty();
  if (swept.unattributed == 0) return;
  statistics_.on_unattributed(swept.unattributed);
  around_.log.warn("worker {}: {} orphan(s) of unknown origin are left alone", name_,
                   swept.unattributed);
}

void Instance::on_reaped(const process::Exit& exit) {
  if (generation_->successor) {
    if (succeed()) return;
    // Nobody takes over: what was spared for it goes too.
    left_behind_ = !sweep(0).killed.empty();
  }
  reaped_ = true;
  memory_.stop_watching();
  const control::DeathRecord record = record_of(exit);
  shell_code_ = exit.by_signal ? 128 + exit.status : exit.status;
  nanoseconds ready_for{0};
  if (generation_->ready_at) ready_for = steady_clock::now() - *generation_->ready_at;
  conclude(record, {record.cause, exit.by_signal ? 0 : exit.status, ready_for});
  if (left_behind_) return around_.owner.on_event(*this, lifecycle::Event::LeftProcesses);
  finish();
}

// The process that MAINPID= named is our child by now: its parent is gone.
bool Instance::succeed() {
  const pid_t pid = *std::exchange(generation_->successor, std::nullopt);
  auto pidfd = process::open_child_pidfd(pid);
  if (!pidfd) return false;
  around_.log.info("worker {}: main process is pid {} now", name_, pid);
  generation_->pid = pid;
  if (!around_.reaper.watch(pid, std::move(*pidfd), *this)) return false;
  // A stop that is under way was told to its predecessor.
  if (const auto* stopping = std::get_if<lifecycle::Stopping>(&state_)) {
    stopping->force == lifecycle::Force::Asked ? send_stop_signal() : kill_tree();
  }
  return true;
}

control::DeathRecord Instance::record_of(const process::Exit& exit) {
  auto evidence = memory_.claim_for_death(generation_->pid, exit);
  control::DeathRecord record = report_death({.exit = exit,
                                              .stop_reason = lifecycle::stop_reason(state_),
                                              .oom_evidence = std::move(evidence.oom_kill),
                                              .memory = evidence.memory,
                                              .why_ended = std::move(evidence.why),
                                              .errno_text = generation_->errno_text});
  record.generation = generation_->number;
  record.at = std::chrono::system_clock::now();
  record.uptime = steady_clock::now() - generation_->born;
  record.stderr_tail = generation_->stderr_tail();
  return record;
}

// Books the end and asks the policy, before the state machine does.
void Instance::conclude(const control::DeathRecord& record, const lifecycle::End& end) {
  const bool on_purpose = record.cause == lifecycle::Cause::Requested;
  const double dice = std::uniform_real_distribution<>()(dice_);
  if (!on_purpose) {
    decision_ = lifecycle::decide(launch_.config.restart, decision_.failures, end, dice);
  }
  around_.journal.record(
      {.type = control::Event::Type::WorkerDeath,
       .worker = name_,
       .generation = record.generation,
       .death = record,
       .message = fmt::format("worker {}: generation {} ended: {}: {}", name_, record.generation,
                              lifecycle::name(record.cause), record.detail)});
  statistics_.on_death(record, steady_clock::now());
}

// No second generation beside a survivor of the first.
void Instance::on_orphan_reaped() {
  if (generation_ && reaped_ && sweep(0).killed.empty()) finish();
}

// What the old life held is let go once the new one runs: nobody waits for that.
void Instance::finish() {
  const std::unique_ptr<Generation> ended = std::move(generation_);
  intercepted_.add(ended->intercepted());
  // Who is not started again at once keeps nobody waiting, and perch may end by it.
  if (decision_.verdict != lifecycle::Verdict::RestartNow) add_victim(ended->number);
  around_.owner.on_event(*this, lifecycle::Event::Died);
  add_victim(ended->number);
  if (std::holds_alternative<lifecycle::Idle>(state_)) statistics_.on_rest();
}

}  // namespace perch
