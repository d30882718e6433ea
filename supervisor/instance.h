// SPDX-License-Identifier: Apache-2.0
// Instance: one worker that perch keeps running: its state, its deadline, the generation that lives
// now and what is remembered of those that died. It turns what happens to its process into events
// and carries out actions; the supervisor alone moves its state (Supervisor::apply).
//
// A death goes one straight way: pidfd -> Reaper -> on_dead (hear its last words, kill its tree) ->
// on_reaped (why did it die, what does the policy say) -> Died -> lifecycle::step -> spawn.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "common/loop/timer.h"
#include "supervisor/control/status.h"
#include "supervisor/deadline.h"
#include "supervisor/generation.h"
#include "supervisor/intercept_totals.h"
#include "supervisor/launch.h"
#include "supervisor/lifecycle/backoff.h"
#include "supervisor/lifecycle/step.h"
#include "supervisor/process/reaper.h"
#include "supervisor/statistics.h"
#include "supervisor/surroundings.h"
#include "supervisor/worker_memory.h"

namespace perch {

class Instance final : public process::Reaper::Mourner, private WorkerMemory::Worker {
 public:
  Instance(const Surroundings& around, std::string name, Launch launch);
  ~Instance() override;
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const lifecycle::State& state() const noexcept { return state_; }
  [[nodiscard]] lifecycle::Facts facts() const;
  // Of the generation that lives, or the latest.
  [[nodiscard]] std::uint64_t generation() const noexcept { return generations_; }
  [[nodiscard]] const config::WorkerConfig& config() const noexcept { return launch_.config; }
  // Somebody asked it to stop, and nobody to start again.
  [[nodiscard]] bool stopped_on_request() const;
  // Nothing of it runs.
  [[nodiscard]] bool at_rest() const noexcept { return !generation_; }
  [[nodiscard]] bool death_pending() const override;
  [[nodiscard]] bool is_on_its_way_out() const;
  [[nodiscard]] const WorkerMemory& memory() const noexcept { return memory_; }
  [[nodiscard]] control::WorkerStatus status() const;
  // The processes that a kill did not end, for people.
  [[nodiscard]] std::string survivors() const;

  // For the supervisor's apply(): the state changes nowhere else.
  enum class NewDeadline { No, Yes };
  void enter(lifecycle::State next, NewDeadline deadline);

  // Actions.
  void spawn();
  void send_drain();
  void send_stop_signal();
  void kill_tree();

  // From the next spawn on; policies at once.
  void set_launch(Launch launch);
  // The same worker with other listeners, while it runs.
  void rehand(Launch launch);
  // Some listener is another socket now. Who has the old one, and cannot be handed the new one
  // live, is restarted.
  void renew_listeners();
  void forward(int signal_number);
  // Somebody wants it to run now, whatever came before.
  void forget_failures() { decision_ = {}; }
  // Some orphan was reaped: perhaps the last one of a dead generation.
  void on_orphan_reaped();
  // The kernel killed processes below its main process.
  void on_oom_in_tree(std::uint64_t kills) override;
  // Exit code of a shell for an end by exit, signal or failed exec; for `policy = "never"`.
  [[nodiscard]] std::optional<int> shell_code() const noexcept { return shell_code_; }
  [[nodiscard]] bool stillborn_at_first() const noexcept { return first_stillborn_; }

 private:
  [[nodiscard]] process::Orphans orphans() const override { return around_.owner.orphans(); }
  [[nodiscard]] std::vector<pid_t> tree() const override;
  [[nodiscard]] bool has_the_most_memory() const override {
    return around_.owner.has_the_most_memory(*this);
  }
  void on_memory_high(const std::string& why) override;
  void on_dead() override;
  void on_reaped(const process::Exit& exit) override;
  std::expected<Generation::Born, Generation::Stillborn> spawn_in_cgroups();
  std::expected<void, Generation::Stillborn> attend(UniqueFd pidfd);
  void on_message(const NotifyMessage& message);
  void on_bound();
  // Not ready in time, by `bound`.
  void report_unbound();
  void on_deadline();
  void become_ready();
  void hand_over_live();
  [[nodiscard]] bool serves() const;
  void on_last_moments_over();
  void name_successor(const NotifyMessage& message);
  bool succeed();
  void conclude(const control::DeathRecord& record, const lifecycle::End& end);
  void on_stillborn(const Generation::Stillborn& failure);
  control::DeathRecord record_of(const process::Exit& exit);
  void add_victim(std::uint64_t generation);
  [[nodiscard]] process::Lineage lineage(pid_t leader) const;
  process::Sweep sweep(pid_t leader);
  void finish();
  [[nodiscard]] std::optional<std::chrono::nanoseconds> time_in(
      const lifecycle::State& state, const lifecycle::State& before) const;
  [[nodiscard]] control::InstanceStatus instance_status() const;

  Surroundings around_;
  std::string name_;
  Launch launch_;
  lifecycle::State state_;
  control::WallTime since_ = std::chrono::system_clock::now();
  Deadline deadline_;
  std::uint64_t outdated_ = 0;  // the generation that last had a listener which was lost
  Timer last_moments_;          // that it gets to end by itself
  std::unique_ptr<Generation> generation_;
  std::uint64_t generations_ = 0;
  bool reaped_ = false;       // the main process is gone, some of its tree may not be
  bool left_behind_ = false;  // some of its tree was alive when it died
  process::Sweep last_sweep_;
  WorkerMemory memory_;
  Statistics statistics_;
  InterceptTotals intercepted_;
  lifecycle::Decision decision_;  // after the latest end
  std::optional<int> shell_code_;
  bool first_stillborn_ = false;
  std::minstd_rand dice_{std::random_device{}()};
};

}  // namespace perch
