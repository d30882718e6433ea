// SPDX-License-Identifier: Apache-2.0
// Charge: the command that a keeper runs as its parent, a perch. Killed by a signal it is started
// again, at once at first and then with a growing delay: what it listened on was kept. If it exits,
// it meant to, and the keeper ends with its code; after a request to stop any end is the last one.
// What a killed perch leaves behind is killed before the next one starts.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/loop/timer.h"
#include "supervisor/lifecycle/backoff.h"
#include "supervisor/log.h"
#include "supervisor/process/reaper.h"
#include "supervisor/process/spawn.h"

namespace perch::keeper {

class Charge final : private process::Reaper::Mourner {
 public:
  // The keeper's exit code: the command's, 128 and the signal's number, or 126 and 127 where it
  // cannot be started at first. Called once, not from start().
  using OnEnd = std::function<void(int exit_code)>;

  // A killed process is gone in much less, unless it cannot be killed.
  static constexpr std::chrono::milliseconds kRestTakes{10'000};
  // All of it outlives the charge.
  struct Room {
    Loop& loop;
    Log& log;
    process::Spawner& spawner;
    process::Reaper& reaper;
    // What is left of a killed command is looked for at least so often.
    std::chrono::milliseconds rest_takes = kRestTakes;
  };
  // `request` is what a start takes; its command and environment are set.
  Charge(const Room& room, process::SpawnRequest request, OnEnd on_end);
  ~Charge() override;
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;

  void start();
  // Passed on; SIGTERM, SIGINT and SIGQUIT ask it to end for good.
  void signal(int number);
  void on_orphan_reaped(pid_t pid);

 private:
  using Clock = std::chrono::steady_clock;

  void on_dead() override;
  void on_reaped(const process::Exit& exit) override;
  void on_start_failed(const process::SpawnFailure& failure);
  void start_again(const std::string& why, const lifecycle::End& end);
  void start_if_alone();
  void look_again();
  // What is left of the last life and is not yet gone; it is killed.
  [[nodiscard]] std::vector<pid_t> kill_rest();
  void end(int exit_code);

  Room room_;
  process::SpawnRequest request_;
  OnEnd on_end_;
  Timer restart_;  // never armed while one runs
  Timer ended_;
  std::set<pid_t> foreign_;  // children that the keeper had before it was one
  pid_t pid_ = 0;            // 0: none runs
  std::vector<pid_t> rest_;  // when it was looked for last
  bool waits_for_rest_ = false;
  bool stopping_ = false;
  bool started_once_ = false;
  unsigned failures_ = 0;
  std::minstd_rand dice_{std::random_device{}()};
  int exit_code_ = 0;
  Clock::time_point started_;
};

}  // namespace perch::keeper
