// SPDX-License-Identifier: Apache-2.0
#include "supervisor/keeper/charge.h"

#include <csignal>
#include <cstring>
#include <utility>

#include "supervisor/config/schema.h"
#include "supervisor/process/process_tree.h"

namespace perch::keeper {
namespace {

using std::chrono::milliseconds;

constexpr int kCannotExec = 126;
constexpr int kNotFound = 127;
constexpr int kSignalled = 128;

bool asks_to_end(int number) { return number == SIGTERM || number == SIGINT || number == SIGQUIT; }

}  // namespace

Charge::Charge(const Room& room, process::SpawnRequest request, OnEnd on_end)
    : room_(room),
      request_(std::move(request)),
      on_end_(std::move(on_end)),
      restart_(room.loop, [this](milliseconds) { look_again(); }),
      ended_(room.loop, [this](milliseconds) { on_end_(exit_code_); }) {
  for (const pid_t pid : room_.reaper.children().list()) foreign_.insert(pid);
}

Charge::~Charge() {
  if (pid_ != 0) room_.reaper.forget(pid_);
}

void Charge::start() {
  waits_for_rest_ = false;
  restart_.disarm();
  auto child = room_.spawner.spawn(request_);
  if (!child) return on_start_failed(child.error());
  pid_ = child->pid;
  started_ = Clock::now();
  started_once_ = true;
  room_.log.info("keeper: {} is pid {}", request_.command.front(), pid_);
  if (const auto watched = room_.reaper.watch(pid_, std::move(child->pidfd), *this); !watched) {
    room_.log.error("keeper: {}", watched.error().text());
    pid_ = 0;
    end(1);
  }
}

// A typo must not be tried for ever; what could be started once is only away for a moment.
void Charge::on_start_failed(const process::SpawnFailure& failure) {
  if (started_once_) return start_again(failure.text(), {.cause = lifecycle::Cause::ExecFailed});
  room_.log.error("keeper: {}", failure.text());
  end(failure.error == ENOENT ? kNotFound : kCannotExec);
}

void Charge::signal(int number) {
  stopping_ = stopping_ || asks_to_end(number);
  if (pid_ == 0) {
    if (stopping_) end(0);
    return;
  }
  // One that has just ended hears nothing; the reaper tells.
  [[maybe_unused]] const auto sent = room_.reaper.signal(pid_, number);
}

void Charge::on_orphan_reaped(pid_t pid) {
  foreign_.erase(pid);
  if (waits_for_rest_) start_if_alone();
}

void Charge::on_dead() { pid_ = 0; }

void Charge::on_reaped(const process::Exit& exit) {
  if (!exit.by_signal) return end(exit.status);
  if (stopping_) return end(kSignalled + exit.status);
  start_again(std::string("killed by SIG") + ::sigabbrev_np(exit.status),
              {.cause = lifecycle::Cause::Signal, .ready_for = Clock::now() - started_});
}

void Charge::start_again(const std::string& why, const lifecycle::End& end) {
  const auto decision = lifecycle::decide(config::RestartConfig{}, failures_, end,
                                          std::uniform_real_distribution<>()(dice_));
  failures_ = decision.failures;
  waits_for_rest_ = false;
  room_.log.warn("keeper: {}: {}; it is started again", request_.command.front(), why);
  restart_.arm(decision.delay);
}

// The end of what was killed comes as news, if it comes; until then it is looked for now and then.
// One that runs is no rest.
void Charge::start_if_alone() {
  if (pid_ != 0) return;
  rest_ = kill_rest();
  waits_for_rest_ = !rest_.empty();
  if (!waits_for_rest_) return start();
  restart_.arm(room_.rest_takes);
}

void Charge::look_again() {
  const bool waited = waits_for_rest_;
  start_if_alone();
  if (!waited || !waits_for_rest_) return;
  room_.log.warn(
      "keeper: {}: no new one starts beside what is left of it, which was killed and does not go: "
      "{}",
      request_.command.front(), process::describe(rest_.front()));
}

std::vector<pid_t> Charge::kill_rest() {
  const process::Lineage ours{.leader = 0, .session = 0, .tag = {}, .cgroup = nullptr};
  return process::kill_tree(
             ours, room_.reaper.children(), [this](pid_t pid) { return foreign_.contains(pid); },
             process::Orphans::OfOneWorker)
      .killed;
}

// Not at once: its owner may be in the middle of a call, of start() or of the reaper.
void Charge::end(int exit_code) {
  exit_code_ = exit_code;
  restart_.disarm();
  waits_for_rest_ = false;
  ended_.arm(milliseconds::zero());
}

}  // namespace perch::keeper
