// SPDX-License-Identifier: Apache-2.0
// Supervisor: the shell around the decisions of lifecycle/. It owns the loop, the listeners and the
// workers; it feeds events to the state machine and carries out its actions. Once run() has passed
// the claims, nothing ends it but a stop request or a rule of the user.
#pragma once

#include <sys/resource.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "supervisor/claiming.h"
#include "supervisor/config/render.h"
#include "supervisor/config_watch.h"
#include "supervisor/control/http_port.h"
#include "supervisor/control/server.h"
#include "supervisor/ending.h"
#include "supervisor/instance.h"
#include "supervisor/keeping.h"
#include "supervisor/listener_set.h"
#include "supervisor/log.h"
#include "supervisor/oom_ledger.h"
#include "supervisor/parent_notify.h"
#include "supervisor/process/division.h"
#include "supervisor/process/oom_tier.h"
#include "supervisor/process/reaper.h"
#include "supervisor/reload_plan.h"
#include "supervisor/runtime_directory.h"
#include "supervisor/signals.h"

namespace perch {

class Supervisor final : private Surroundings::Owner, private control::ControlTarget {
 public:
  // `inherited_nofile`: RLIMIT_NOFILE before perch raised its own. An Error is the system's refusal
  // before anything was started.
  static Result<std::unique_ptr<Supervisor>> create(Log& log, ConfigSource source,
                                                    config::Config config,
                                                    const rlimit& inherited_nofile);
  ~Supervisor() override;

  // Until stopped.
  Ending run();

 private:
  enum class Phase { Claiming, Running, Ending };

  Supervisor(Log& log, ConfigSource source, config::Config config, const rlimit& inherited_nofile);
  Result<void> prepare();
  // The names in the configuration, as the system knows them.
  Result<void> resolve();

  // The only place where a state changes.
  void apply(Instance& instance, lifecycle::Event event);
  void carry_out(Instance& instance, lifecycle::Action action);
  void apply_to_all(lifecycle::Event event);

  void introduce();
  // What was taken at start, and the keeper that there is now.
  [[nodiscard]] process::OomPlan protection() const;
  void start_workers();
  void on_claim_failed(const ListenerSet::ClaimFailure& failure);
  void add_worker(const std::string& name, Launch launch);
  void open_control();
  void open_http();
  // As the configuration says, now and after a reload.
  void watch_config();
  void on_signal(int number);
  void on_orphan(pid_t pid);
  void on_oom_in_tree(std::uint64_t kills);
  void end(lifecycle::Event how, std::optional<Ending> ending);
  void give_up_on(const Instance& instance);
  // Drops workers that are gone for good, and ends perch when nothing is left to do.
  void settle();
  [[nodiscard]] bool all_at_rest() const;
  [[nodiscard]] std::optional<Ending> ending_of_typo() const;
  [[nodiscard]] static Ending ending_of(const Instance& instance);
  [[nodiscard]] Ending ending_of_rest() const;
  [[nodiscard]] ParentNotify::Standing standing();
  [[nodiscard]] std::chrono::milliseconds patience_of_start() const;
  Result<void> reload_now();
  Result<void> prepare_control(ReloadPlan& plan);
  Result<void> prepare_http(ReloadPlan& plan);
  void take_http(std::unique_ptr<control::HttpPort> port);
  void commit(ReloadPlan plan);
  void warn_of_memory_sum();
  void commit_perch(const config::PerchConfig& before, ReloadPlan& plan);
  void commit_listeners(const config::Config& before, ReloadPlan& plan);
  void commit_workers(ReloadPlan& plan);
  void send_reload_signals(const config::Diff& diff);

  void on_event(Instance& instance, lifecycle::Event event) override { apply(instance, event); }
  process::Orphans orphans() const override;
  bool is_foreign(pid_t pid) const override { return foreign_.contains(pid); }
  bool has_the_most_memory(const Instance& instance) const override;
  control::Status status() override;
  std::vector<std::string> not_ready() override;
  Result<void> reload() override;
  std::expected<control::ActionBegun, control::ActionRefused> act(
      const std::string& worker, control::WorkerAction action) override;
  std::string config_file() override { return config::to_toml(config_); }
  control::EventLog& events() override { return events_; }

  Log& log_;
  ConfigSource source_;
  config::Config config_;
  rlimit inherited_nofile_;
  control::EventLog events_;
  Journal journal_{log_, events_};
  Loop loop_;  // before all that lives on it
  NonBlockingWriter out_{1};
  NonBlockingWriter err_{2};
  UniqueFd dev_null_;
  RuntimeDirectory runtime_;
  ListenerSet listeners_;
  Keeping keeping_;
  Result<process::Division> division_ = process::Division::make();
  process::MemoryGround ground_ = process::ground_of(division_);
  process::OomPlan protection_;
  OomLedger oom_;
  process::KernelLog kernel_log_ = process::KernelLog::open();
  Claiming claiming_;
  ParentNotify parent_;
  Timer settle_;
  // Some listener is another socket now. Not at once: it may happen amid a reload.
  Timer renew_listeners_;
  std::optional<process::Spawner> spawner_;
  std::optional<process::Reaper> reaper_;
  std::optional<Signals> signals_;
  std::map<std::string, std::unique_ptr<Instance>> instances_;
  std::set<pid_t> foreign_;        // children that perch had before it was perch
  std::set<std::string> retired_;  // taken out of the configuration, still stopping
  control::Access access_;
  std::unique_ptr<control::ControlServer> control_;
  std::string control_trouble_;  // why there is none, once said
  std::unique_ptr<ConfigWatch> config_watch_;
  std::vector<std::unique_ptr<control::ControlServer>> leaving_control_;  // replaced by reloads
  std::unique_ptr<control::HttpPort> http_;
  Phase phase_ = Phase::Claiming;
  std::optional<Ending> ending_;
  bool introduced_ = false;
  int stop_requests_ = 0;       // by signal
  bool reload_is_due_ = false;  // asked for before the workers were started
  control::ReloadStatus reloads_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  control::WallTime started_at_ = std::chrono::system_clock::now();
};

}  // namespace perch
