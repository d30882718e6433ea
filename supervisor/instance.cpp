// SPDX-License-Identifier: Apache-2.0
#include "supervisor/instance.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>

namespace perch {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kKillTimeout{5};
constexpr std::chrono::milliseconds kLastMoments{200};
constexpr std::size_t kMaxStatusText = 256;
// A worker may ask for more time; nobody means more than this, and larger numbers overflow.
constexpr std::chrono::hours kMaxExtension{24};

// What of stop_timeout a worker gets to finish its work before it is signalled.
nanoseconds drain_share(nanoseconds stop_timeout) { return stop_timeout * 4 / 5; }

template <class Number>
std::optional<Number> number_in(const NotifyMessage& message, std::string_view key) {
  const auto text = message.get(key);
  Number number{};
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return number;
}

}  // namespace

Instance::Instance(const Surroundings& around, std::string name, Launch launch)
    : around_(around),
      name_(std::move(name)),
      launch_(std::move(launch)),
      deadline_(around.stage.loop, [this] { on_deadline(); }),
      last_moments_(around.stage.loop,
                    [this](std::chrono::milliseconds) { on_last_moments_over(); }),
      memory_({around.stage.loop, around.log, around.oom, around.ground, around.kernel_log}, name_,
              *this) {}

Instance::~Instance() {
  if (generation_ && !reaped_) around_.reaper.forget(generation_->pid);
}

lifecycle::Facts Instance::facts() const {
  const bool drains = generation_ && generation_->can_drain();
  return {decision_.verdict, drains ? lifecycle::DrainSupport::Yes : lifecycle::DrainSupport::No};
}

void Instance::enter(lifecycle::State next, NewDeadline deadline) {
  if (lifecycle::name(next) != lifecycle::name(state_)) since_ = std::chrono::system_clock::now();
  const lifecycle::State before = std::exchange(state_, next);
  if (is_on_its_way_out()) memory_.stop_watching();
  if (deadline == NewDeadline::No) return;
  deadline_.disarm();
  if (const auto from_now = time_in(next, before)) deadline_.arm(*from_now);
}

// How long the state may last; nothing: for ever.
std::optional<nanoseconds> Instance::time_in(const lifecycle::State& state,
                                             const lifecycle::State& before) const {
  const nanoseconds stop = launch_.config.stop_timeout;
  if (std::holds_alternative<lifecycle::Backoff>(state)) return decision_.delay;
  if (std::holds_alternative<lifecycle::Draining>(state)) return drain_share(stop);
  if (std::holds_alternative<lifecycle::Starting>(state)) {
    const nanoseconds timeout = launch_.config.readiness.timeout;
    return timeout == nanoseconds::zero() ? std::nullopt : std::optional(timeout);
  }
  const auto* stopping = std::get_if<lifecycle::Stopping>(&state);
  if (stopping == nullptr || stopping->force == lifecycle::Force::Stuck) return std::nullopt;
  if (stopping->force == lifecycle::Force::Killed) return kKillTimeout;
  // A drain has already used its share.
  const bool drained = std::holds_alternative<lifecycle::Draining>(before);
  return drained ? stop - drain_share(stop) : stop;
}

// What has arrived counts before the deadline; it may have ended the wait.
void Instance::on_deadline() {
  if (std::holds_alternative<lifecycle::Backoff>(state_)) {
    return around_.owner.on_event(*this, lifecycle::Event::BackoffOver);
  }
  if (generation_) generation_->answer_calls();
  if (generation_) generation_->drain();
  if (deadline_.armed()) return;
  if (std::holds_alternative<lifecycle::Starting>(state_)) report_unbound();
  around_.owner.on_event(*this, lifecycle::Event::DeadlinePassed);
}

void Instance::report_unbound() {
  if (launch_.config.readiness.by != config::ReadinessBy::Bound || !generation_) return;
  around_.log.warn("worker {}: has not bound {}: check that it binds the path of each", name_,
                   fmt::join(launch_.config.listeners, ", "));
}

void Instance::spawn() {
  PERCH_CHECK(!generation_);
  memory_.before_spawn(launch_.config);
  ++generations_;
  reaped_ = false;
  statistics_.on_start();
  auto born = spawn_in_cgroups();
  if (!born) return on_stillborn(born.error());
  generation_ = std::move(born->generation);
  if (const auto attended = attend(std::move(born->pidfd)); !attended) {
    // What cannot be watched must not serve; it is reaped as an orphan.
    around_.reaper.forget(generation_->pid);
    sweep(generation_->pid);
    generation_.reset();
    return on_stillborn(attended.error());
  }
  around_.log.info("worker {}: generation {} is pid {}", name_, generations_, generation_->pid);
  memory_.after_spawn(launch_.config);
  around_.owner.on_event(*this, lifecycle::Event::Spawned);
  if (launch_.config.readiness.by == config::ReadinessBy::Started) become_ready();
}

std::expected<void, Generation::Stillborn> Instance::attend(UniqueFd pidfd) {
  const auto watched = around_.reaper.watch(generation_->pid, std::move(pidfd), *this);
  if (!watched) {
    return std::unexpected(Generation::Stillborn{watched.error().text(), std::nullopt});
  }
  return generation_->listen(
      around_.stage.loop, launch_,
      {.on_bound = [this] { on_bound(); },
       .on_trouble =
           [this](const std::string& line) { around_.log.warn("worker {}: {}", name_, line); }});
}

void Instance::on_bound() {
  if (launch_.config.readiness.by == config::ReadinessBy::Bound) become_ready();
}

void Instance::on_stillborn(const Generation::Stillborn& failure) {
  control::DeathRecord record;
  record.generation = generations_;
  record.at = std::chrono::system_clock::now();
  record.cause = lifecycle::Cause::ExecFailed;
  record.detail = failure.why;
  shell_code_ = failure.shell_code;
  first_stillborn_ = generations_ == 1 && failure.shell_code.has_value();
  conclude(record, {.cause = lifecycle::Cause::ExecFailed});
  around_.owner.on_event(*this, lifecycle::Event::SpawnFailed);
}

void Instance::become_ready() {
  if (!generation_ || generation_->ready_at) return;
  generation_->ready_at = steady_clock::now();
  statistics_.on_ready(generation_->born, *generation_->ready_at);
  around_.listeners.on_served(launch_.config.listeners);
  around_.owner.on_event(*this, lifecycle::Event::BecameReady);
}

void Instance::on_message(const NotifyMessage& message) {
  if (!generation_) return;
  if (const auto text = message.get("STATUS")) {
    generation_->status_text = text->substr(0, kMaxStatusText);
  }
  if (const auto number = number_in<int>(message, "ERRNO")) {
    generation_->errno_text = Error::from_errno(*number, "").code().message();
  }
  if (const auto more = number_in<std::int64_t>(message, "EXTEND_TIMEOUT_USEC")) {
    if (*more > 0) deadline_.extend(std::min(microseconds(*more), microseconds(kMaxExtension)));
  }
  name_successor(message);
  // Last: it may start a new life, and this generation with it. What counts by `bound` is to bind.
  const bool may_say = launch_.config.readiness.by != config::ReadinessBy::Bound;
  if (may_say && message.says("READY", "1")) become_ready();
}

// A worker can only name what descends from it or what it left behind, a daemon in a session of its
// own; another's pid is refused.
void Instance::name_successor(const NotifyMessage& message) {
  const auto pid = number_in<pid_t>(message, "MAINPID");
  if (!pid || *pid == generation_->pid || around_.reaper.watches(*pid)) return;
  if (around_.owner.is_foreign(*pid)) return;
  const bool ours = process::descends_from(*pid, generation_->pid) ||
                    process::is_of(lineage(generation_->pid), *pid, around_.owner.orphans());
  if (ours) generation_->successor = pid;
  if (!ours) around_.log.warn("worker {}: MAINPID={} is none of its processes", name_, *pid);
}

void Instance::send_drain() {
  const auto within = std::chrono::duration_cast<microseconds>(deadline_.remaining());
  if (generation_ && !generation_->ask_to_drain(within)) {
    around_.log.warn("worker {}: does not take the request to drain", name_);
  }
}

void Instance::send_stop_signal() {
  const auto sent = around_.reaper.signal(generation_->pid, launch_.config.stop_signal);
  // A worker that is already dead is about to be reaped.
  if (!sent && !sent.error().is(ESRCH)) {
    around_.log.warn("worker {}: {}", name_, sent.error().text());
  }
}

void Instance::kill_tree() {
  if (generation_) last_sweep_ = sweep(reaped_ ? 0 : generation_->pid);
}

process::Lineage Instance::lineage(pid_t leader) const {
  return {.leader = leader,
          .session = generation_->session,
          .tag = generation_tag(name_, generation_->number),
          .cgroup = memory_.tree_cgroup()};
}

process::Sweep Instance::sweep(pid_t leader) {
  return process::kill_tree(
      lineage(leader), around_.reaper.children(),
      [this](pid_t pid) { return around_.reaper.watches(pid) || around_.owner.is_foreign(pid); },
      around_.owner.orphans());
}

bool Instance::stopped_on_request() const {
  return state_ == lifecycle::State(lifecycle::Idle{lifecycle::Rest::Requested}) ||
         lifecycle::stop_reason(state_) == lifecycle::StopReason::Requested;
}

void Instance::set_launch(Launch launch) {
  launch_ = std::move(launch);
  // A draining worker keeps what it has.
  if (!is_on_its_way_out()) memory_.adjust(launch_.config);
  if (generation_) generation_->adjust_capture(launch_.config);
  if (serves()) memory_.watch(launch_.config.memory);
  // It need not say any more that it is ready.
  if (!std::holds_alternative<lifecycle::Starting>(state_)) return;
  if (launch_.config.readiness.by == config::ReadinessBy::Started) become_ready();
  if (generation_ && generation_->has_bound()) on_bound();
}

void Instance::rehand(Launch launch) {
  set_launch(std::move(launch));
  // One that was started with another hand-over is on its way out; its successor takes them.
  if (generation_ && !reaped_ && generation_->has_channel()) hand_over_live();
}

// One that stops or dies leaves new listeners to its successor.
bool Instance::serves() const {
  const bool wanted = std::holds_alternative<lifecycle::Starting>(state_) ||
                      std::holds_alternative<lifecycle::Ready>(state_);
  return wanted && generation_ && !reaped_ && !process::is_exiting(generation_->pid);
}

// Who shuts its listener down is most often about to exit, and how it does decides what comes next.
void Instance::renew_listeners() {
  if (!serves()) return;
  auto listeners = around_.listeners.find(launch_.config.listeners);
  if (generation_->holds(listeners)) return;
  if (generation_->has_channel()) return hand_over_live();
  generation_->retarget(launch_, std::move(listeners));
  outdated_ = generations_;
  last_moments_.arm(kLastMoments);
}

void Instance::on_last_moments_over() {
  if (outdated_ != generations_ || !serves()) return;
  around_.log.warn("worker {}: has a listener that nobody reaches any more; it is restarted",
                   name_);
  around_.owner.on_event(*this, lifecycle::Event::RestartRequested);
}

void Instance::hand_over_live() {
  const auto done = generation_->rehand(launch_, around_.listeners.find(launch_.config.listeners));
  if (done || stopped_on_request()) return;
  around_.log.warn("worker {}: {}; it is restarted", name_, done.error().text());
  around_.owner.on_event(*this, lifecycle::Event::RestartRequested);
}

void Instance::forward(int signal_number) {
  if (generation_ && !reaped_) {
    const auto sent = around_.reaper.signal(generation_->pid, signal_number);
    if (!sent) around_.log.debug("worker {}: {}", name_, sent.error().text());
  }
}

}  // namespace perch
