// SPDX-License-Identifier: Apache-2.0
#include "supervisor/supervisor.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "common/posix/file.h"
#include "supervisor/resolve_access.h"
#include "supervisor/start_up_memory.h"

namespace perch {
namespace {

using lifecycle::Event;

bool is_init() { return ::getpid() == 1; }

// A deadline belongs to a stay in a state: a spawn, another state, or more force begins a new one.
Instance::NewDeadline deadline_for(const lifecycle::State& from, const lifecycle::Step& step) {
  const auto* before = std::get_if<lifecycle::Stopping>(&from);
  const auto* after = std::get_if<lifecycle::Stopping>(&step.next);
  const bool pressed = before != nullptr && after != nullptr && before->force != after->force;
  const bool spawns =
      std::ranges::find(step.actions, lifecycle::Action::Spawn) != step.actions.end();
  const bool moved = from.index() != step.next.index();
  return moved || pressed || spawns ? Instance::NewDeadline::Yes : Instance::NewDeadline::No;
}

control::Event state_change(const Instance& instance, const lifecycle::State& from, Event why,
                            const lifecycle::State& to) {
  return {.type = control::Event::Type::WorkerState,
          .worker = instance.name(),
          .generation = instance.generation(),
          .change = control::Event::Change{lifecycle::name(from), lifecycle::name(to),
                                           lifecycle::name(why)},
          .message = fmt::format("worker {}: {} -> {} ({})", instance.name(), lifecycle::name(from),
                                 lifecycle::name(to), lifecycle::name(why))};
}

}  // namespace

Result<std::unique_ptr<Supervisor>> Supervisor::create(Log& log, ConfigSource source,
                                                       config::Config config,
                                                       const rlimit& inherited_nofile) {
  std::unique_ptr<Supervisor> supervisor(
      new Supervisor(log, std::move(source), std::move(config), inherited_nofile));
  if (auto prepared = supervisor->prepare(); !prepared) {
    return std::unexpected(std::move(prepared.error()));
  }
  return supervisor;
}

Supervisor::Supervisor(Log& log, ConfigSource source, config::Config config,
                       const rlimit& inherited_nofile)
    : log_(log),
      source_(std::move(source)),
      config_(std::move(config)),
      inherited_nofile_(inherited_nofile),
      runtime_(config_.perch.control),
      listeners_(
          loop_, log, journal_, [this] { renew_listeners_.arm(std::chrono::nanoseconds::zero()); },
          [this] { keeping_.look_soon(); }),
      keeping_(loop_, log, listeners_, source_.file),
      oom_(
          loop_, process::own_memory_cgroup(), [this](auto kills) { on_oom_in_tree(kills); },
          [this] {
            return std::ranges::any_of(instances_,
                                       [](auto& entry) { return entry.second->death_pending(); });
          }),
      claiming_(
          loop_, log, listeners_, keeping_, [this] { start_workers(); },
          [this](const auto& failure) { on_claim_failed(failure); }),
      parent_(loop_, [this] { return standing(); }),
      settle_(loop_, [this](std::chrono::milliseconds) { settle(); }),
      renew_listeners_(loop_, [this](std::chrono::milliseconds) {
        for (const auto& [name, instance] : instances_) instance->renew_listeners();
      }) {}

Supervisor::~Supervisor() { log_.detach(); }

Result<void> Supervisor::prepare() {
  auto dev_null = open_file("/dev/null", O_RDWR);
  if (!dev_null) return std::unexpected(std::move(dev_null.error()));
  dev_null_ = std::move(*dev_null);
  if (!is_init() && ::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return fail("become subreaper");
  // A shell that started something and then exec'ed perch leaves us its children.
  for (const pid_t pid : process::OwnChildren().list()) foreign_.insert(pid);
  auto spawner = process::Spawner::create();
  if (!spawner) return std::unexpected(std::move(spawner.error()));
  spawner_.emplace(std::move(*spawner));
  auto signals = Signals::watch(loop_, [this](int number) { on_signal(number); });
  if (!signals) return std::unexpected(std::move(signals.error()));
  signals_.emplace(std::move(*signals));
  auto reaper = process::Reaper::create(loop_, [this](pid_t pid) { on_orphan(pid); });
  if (!reaper) return std::unexpected(std::move(reaper.error()));
  reaper_.emplace(std::move(*reaper));
  for (const auto& attached : {log_.attach(loop_), out_.attach(loop_), err_.attach(loop_)}) {
    if (!attached) return std::unexpected(attached.error());
  }
  process::OomFacts facts = process::gather_oom_facts(ground_);
  facts.has_keeper = !config_.perch.keeper.empty();
  protection_ = process::take_oom_protection(ground_.container, facts);
  return {};
}

Result<void> Supervisor::resolve() {
  for (const auto& [name, worker] : config_.workers) {
    auto launch = resolve_launch(name, config_, inherited_nofile_, log_);
    if (!launch) return std::unexpected(std::move(launch.error()));
    add_worker(name, std::move(*launch));
  }
  auto access = resolve_access(config_.perch);
  if (!access) return std::unexpected(std::move(access.error()));
  access_ = std::move(*access);
  return {};
}

Ending Supervisor::run() {
  if (const auto resolved = resolve(); !resolved) {
    log_.error("{}", resolved.error().text());
    return own_failure(ExitCode::Usage, resolved.error().text(), config_);
  }
  open_control();
  open_http();
  watch_config();
  keeping_.use(config_.perch.keeper);
  claiming_.start(config_.listeners);
  if (phase_ != Phase::Ending) parent_.waiting(patience_of_start());
  give_back_start_up_memory();
  if (phase_ != Phase::Ending || !all_at_rest()) loop_.run();
  // A start that failed has said why; that is all there is to say.
  const Ending ending = ending_.value_or(Ending{});
  if (introduced_) log_.info("perch ends with exit code {}", ending.code);
  keeping_.end();
  control_.reset();
  leaving_control_.clear();
  http_.reset();
  log_.flush();
  return ending;
}

void Supervisor::add_worker(const std::string& name, Launch launch) {
  const Surroundings around{
      .owner = *this,
      .log = log_,
      .journal = journal_,
      .stage = {.loop = loop_,
                .spawner = *spawner_,
                .runtime = runtime_,
                .out = out_,
                .err = err_,
                .log = log_,
                .dev_null = dev_null_.get()},
      .reaper = *reaper_,
      .oom = oom_,
      .ground = ground_,
      .kernel_log = kernel_log_,
      .listeners = listeners_,
      .worker_oom_score = protection_.worker_score,
  };
  instances_[name] = std::make_unique<Instance>(around, name, std::move(launch));
}

// An unreachable control socket costs the view of perch, not its work.
void Supervisor::open_control() {
  if (config_.perch.control.empty() || control_) return;
  auto server = control::ControlServer::open(loop_, config_.perch.control, *this, access_);
  if (server) {
    control_ = std::move(*server);
    return;
  }
  // Tried twice at start, told once.
  if (std::exchange(control_trouble_, server.error().text()) == server.error().text()) return;
  log_.warn("{}; perch runs on without it", control_trouble_);
}

void Supervisor::watch_config() {
  if (!config_.perch.reload_on_change || source_.file.empty()) return config_watch_.reset();
  if (config_watch_) return;
  auto watch = ConfigWatch::start(loop_, source_.file, [this] {
    log_.info("reload: {} has changed", source_.file);
    [[maybe_unused]] const auto told = reload();
  });
  if (watch) {
    config_watch_ = std::move(*watch);
    return;
  }
  log_.warn("changes of {} are not noticed: {}; use perch reload", source_.file,
            watch.error().text());
}

void Supervisor::open_http() {
  if (!config_.perch.http) return;
  auto port = control::HttpPort::open(loop_, *config_.perch.http, *this);
  if (!port) return log_.warn("no probes over TCP: {}", port.error().text());
  take_http(std::move(*port));
}

void Supervisor::take_http(std::unique_ptr<control::HttpPort> port) {
  http_ = std::move(port);
  if (http_) log_.info("http: listening on {}", config::tcp_address_text(http_->address()));
}

// A keeper in perch's own container goes with it where a kill takes all of that.
process::OomPlan Supervisor::protection() const {
  process::OomFacts facts = protection_.facts;
  const bool alone =
      facts.group == process::OomGroup::Absent || facts.group == process::OomGroup::Off;
  facts.has_keeper = keeping_.is_apart() || (keeping_.connected() && alone);
  return process::choose_tier(facts);
}

void Supervisor::introduce() {
  introduced_ = true;
  const process::OomPlan protection = this->protection();
  journal_.record(
      {.type = control::Event::Type::PerchStarted,
       .message = fmt::format("perch {} is pid {}; oom protection {}: {}", PERCH_VERSION,
                              ::getpid(), process::name(protection.tier), protection.detail)});
  if (config_.perch.control.empty() && config_.perch.control_is_default) {
    log_.info(
        "no control socket: neither /run/perch nor $XDG_RUNTIME_DIR can be written; give --control "
        "PATH to be able to ask this perch");
  }
  warn_of_memory_sum();
  auto watched = oom_.watch();
  if (!watched && ground_.divided.empty()) {
    log_.info("oom kills inside a worker's tree are not seen as they happen: {}",
              watched.error().text());
  }
}

void Supervisor::start_workers() {
  // Whoever held the paths until now may have held this one too.
  open_control();
  introduce();
  phase_ = Phase::Running;
  apply_to_all(Event::StartRequested);
  if (!reload_is_due_) return;
  [[maybe_unused]] const auto told = reload();
}

void Supervisor::on_claim_failed(const ListenerSet::ClaimFailure& failure) {
  using Kind = ListenerSet::ClaimFailure::Kind;
  const std::string why = failure.final_text();
  log_.error("{}", why);
  listeners_.leave_revived();
  const bool system = failure.kind == Kind::System;
  end(Event::StopRequested,
      own_failure(system ? ExitCode::SystemRefused : ExitCode::PathOwned, why, config_));
}

void Supervisor::apply(Instance& instance, Event event) {
  // An end may begin amid the start of several workers: those that come later stay down.
  const bool starts = event == Event::StartRequested || event == Event::RestartRequested;
  if (starts && phase_ == Phase::Ending) return;
  const lifecycle::State before = instance.state();
  const lifecycle::Step step = lifecycle::step(before, event, instance.facts());
  if (lifecycle::name(before) != lifecycle::name(step.next)) {
    journal_.record(state_change(instance, before, event, step.next));
  }
  instance.enter(step.next, deadline_for(before, step));
  for (const lifecycle::Action action : step.actions) carry_out(instance, action);
  parent_.on_change();
  if (instance.at_rest()) settle_.arm(std::chrono::nanoseconds::zero());
}

void Supervisor::carry_out(Instance& instance, lifecycle::Action action) {
  switch (action) {
    case lifecycle::Action::Spawn:
      return instance.spawn();
    case lifecycle::Action::SendDrain:
      return instance.send_drain();
    case lifecycle::Action::SendStopSignal:
      return instance.send_stop_signal();
    case lifecycle::Action::KillTree:
      return instance.kill_tree();
    case lifecycle::Action::ReportStuck:
      return log_.error("worker {}: was killed and will not go; no new one starts beside it: {}",
                        instance.name(), instance.survivors());
    case lifecycle::Action::ReportRest:
      return log_.info("worker {}: has ended and is not to be restarted", instance.name());
    case lifecycle::Action::ReportGiveUp:
      return give_up_on(instance);
  }
}

void Supervisor::apply_to_all(Event event) {
  for (const auto& [name, instance] : instances_) apply(*instance, event);
}

}  // namespace perch
