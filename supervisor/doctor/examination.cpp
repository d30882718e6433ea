// SPDX-License-Identifier: Apache-2.0
#include "supervisor/doctor/examination.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "common/loop/loop.h"
#include "common/loop/signal_inbox.h"
#include "common/loop/timer.h"
#include "supervisor/doctor/observer.h"
#include "supervisor/handover/intercept_filter.h"
#include "supervisor/process/install_filter.h"
#include "supervisor/process/process_tree.h"
#include "supervisor/process/spawn.h"
#include "supervisor/process/spawn_remedy.h"

namespace perch::doctor {
namespace {

// So long without a call on a socket: it is up.
constexpr std::chrono::seconds kRest{1};
constexpr std::chrono::seconds kStopTime{10};

process::SpawnRequest request_for(const ExaminationPlan& plan,
                                  const handover::InterceptFilter& filter) {
  process::SpawnRequest request;
  request.command = plan.command;
  for (char** entry = environ; *entry != nullptr; ++entry) request.environment.emplace_back(*entry);
  // What it prints is not our answer.
  request.fds = {0, 2, 2};
  request.filter = filter.program();
  request.no_new_privs = process::filters_need_no_new_privs();
  return request;
}

class Examination final : private process::Reaper::Mourner {
 public:
  explicit Examination(std::chrono::milliseconds patience)
      : patience_(patience), deadline_(loop_, [this](auto) { on_deadline(); }) {}

  Result<void> begin(const ExaminationPlan& plan) {
    if (auto ready = hear_interrupts(); !ready) return ready;
    auto filter = handover::InterceptFilter::build({.probe_guard = true, .mode_guard = true});
    if (!filter) return std::unexpected(std::move(filter.error()));
    auto reaper = process::Reaper::create(loop_, [](pid_t) {});
    if (!reaper) return std::unexpected(std::move(reaper.error()));
    reaper_.emplace(std::move(*reaper));
    auto spawner = process::Spawner::create();
    if (!spawner) return std::unexpected(std::move(spawner.error()));
    process::SpawnRequest request = request_for(plan, *filter);
    auto capabilities = process::CapabilityPlan::make({"all"});
    if (!capabilities) return std::unexpected(std::move(capabilities.error()));
    request.capabilities = *capabilities;
    auto child = spawner->spawn(request);
    if (!child) {
      const std::string remedy = process::spawn_remedy(child.error());
      return refuse(child.error().text() + (remedy.empty() ? "" : "; " + remedy));
    }
    pid_ = child->pid;
    session_ = child->pid;
    auto observer = Observer::watch(loop_, std::move(child->notify), [this] { on_call(); });
    if (!observer) return std::unexpected(std::move(observer.error()));
    observer_ = std::move(*observer);
    return reaper_->watch(pid_, std::move(child->pidfd), *this);
  }

  Examined conduct() {
    deadline_.arm(patience_);
    loop_.run();
    result_.calls = observer_->calls();
    result_.spared = observer_->spared();
    result_.blindness = observer_->blindness();
    return std::move(result_);
  }

 private:
  // Whoever interrupts us wants the command gone too.
  Result<void> hear_interrupts() {
    // What it leaves behind must be ours to end.
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return fail("become subreaper");
    sigset_t interrupts;
    ::sigemptyset(&interrupts);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&interrupts, number);
    auto inbox = SignalInbox::open(loop_, interrupts, [this](int) { on_deadline(); });
    if (!inbox) return std::unexpected(std::move(inbox.error()));
    interrupts_.emplace(std::move(*inbox));
    return {};
  }

  enum class Stage { Starting, Resting, Stopping, Killed };

  [[nodiscard]] bool listens() const {
    return std::ranges::any_of(observer_->calls(), [](const SocketCall& call) {
      return call.kind == SocketCall::Kind::Listen;
    });
  }

  void on_call() {
    if ((stage_ != Stage::Starting && stage_ != Stage::Resting) || !listens()) return;
    stage_ = Stage::Resting;
    deadline_.arm(kRest);
  }

  void on_deadline() {
    if (stage_ == Stage::Killed) return;
    if (stage_ == Stage::Stopping) {
      stage_ = Stage::Killed;
      result_.had_to_be_killed = true;
      sweep();
      return;
    }
    stage_ = Stage::Stopping;
    observer_->begin_stop();
    deadline_.arm(kStopTime);
    [[maybe_unused]] const auto sent = reaper_->signal(pid_, SIGTERM);
  }

  void sweep() {
    process::kill_tree(
        {.leader = dead_ ? 0 : pid_, .session = session_, .tag = "", .cgroup = nullptr},
        reaper_->children(), [](pid_t) { return false; }, process::Orphans::OfOneWorker);
  }

  void on_dead() override {
    dead_ = true;
    sweep();
  }
  void on_reaped(const process::Exit& exit) override {
    if (stage_ == Stage::Starting || stage_ == Stage::Resting) result_.ended = exit;
    loop_.stop();
  }

  Loop loop_;  // before all that lives on it
  std::chrono::milliseconds patience_;
  Timer deadline_;
  std::optional<SignalInbox> interrupts_;
  std::optional<process::Reaper> reaper_;
  std::unique_ptr<Observer> observer_;
  Stage stage_ = Stage::Starting;
  pid_t pid_ = 0;
  pid_t session_ = 0;
  bool dead_ = false;
  Examined result_;
};

}  // namespace

Result<Examined> examine(const ExaminationPlan& plan) {
  Examination examination(plan.patience);
  if (auto begun = examination.begin(plan); !begun) {
    return std::unexpected(std::move(begun.error()));
  }
  return examination.conduct();
}

}  // namespace perch::doctor
