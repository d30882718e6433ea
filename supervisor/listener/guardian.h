// SPDX-License-Identifier: Apache-2.0
// Guardian: keeps guarded listeners at their paths. It hears when somebody removes, replaces or
// chmods a socket file or shuts the socket down, looks, and takes one step after the other until
// the path is ours again. A live owner is never fought and nothing that is no socket is deleted.
// Nothing runs while nothing is wrong; a timer does where something cannot be put right yet.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "supervisor/listener/heal.h"
#include "supervisor/listener/heal_kind.h"
#include "supervisor/listener/heal_pace.h"
#include "supervisor/listener/listener.h"
#include "supervisor/listener/sight.h"
#include "supervisor/listener/socket_watch.h"

namespace perch::listener {

// Listening: the path is ours. Lost: a live owner has it. Away: it cannot be had back just now.
enum class GuardState { Listening, Lost, Away };

class Guardian final : private SocketWatch::Hearer {
 public:
  using Clock = std::chrono::steady_clock;
  using Shared = std::shared_ptr<Listener>;

  // Who is told. Texts are for people and say nothing of the listener's name.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_healed(const std::string& name, HealKind kind, const std::string& how) = 0;
    // A new socket stands at the path; on_healed comes before.
    virtual void on_succeeded(const std::string& name, const Shared& successor) = 0;
    // It leaves the state Listening.
    virtual void on_lost(const std::string& name, const std::string& why) = 0;
    virtual void on_trouble(const std::string& name, const std::string& what) = 0;
    // It cannot be watched; that is tried again.
    virtual void on_unguarded(const std::string& name, const std::string& why) = 0;
  };

  struct Report {
    GuardState state = GuardState::Listening;
    bool guarded = false;
    HealCounts heals{};
    // From the news that something was wrong until the path was ours again, the latest time.
    std::optional<Clock::duration> last_outage;
  };

  Guardian(Loop& loop, Owner& owner);

  void guard(const std::string& name, Shared listener);
  // From now on what happens to it is meant.
  void release(const std::string& name);
  // Now, instead of when the loop comes to it.
  void hear_shut_downs();
  // Before the end: what was just done to them is put right.
  void tend_all();
  [[nodiscard]] Report report(const std::string& name) const;

 private:
  struct Ward {
    Ward(Loop& loop, SocketWatch::Key its_key, std::string its_name, Shared its_listener,
         Timer::Callback on_retry)
        : key(its_key),
          name(std::move(its_name)),
          listener(std::move(its_listener)),
          retry(loop, std::move(on_retry)) {}
    SocketWatch::Key key;
    std::string name;
    Shared listener;
    Listens listens = Listens::Yes;
    Report report;
    HealPace pace;       // of the path
    HealPace file_pace;  // of the mode and the spare link
    std::optional<Clock::time_point> wrong_since;
    std::chrono::milliseconds patience{};  // before the next try at what failed
    std::string trouble;                   // as it was told last
    std::optional<Clock::time_point> owner_described;
    std::string unguarded;  // why, as it was told last; empty while it is guarded
    Timer retry;
  };

  void on_touched(SocketWatch::Key key) override;
  void on_shut_down(SocketWatch::Key key) override;
  Result<void> try_watch(Ward& ward);
  void watch(Ward& ward);
  void watch_again();
  void tend(Ward& ward);
  // All of these: false, if no further step is to be taken now.
  bool take_step(Ward& ward, const Look& look, Remedy remedy);
  bool apply(Ward& ward, const Look& look, Remedy remedy);
  bool exchange(Ward& ward, const PinnedFile& dead);
  bool move_aside(Ward& ward, const PinnedFile& other);
  bool restore_mode(Ward& ward);
  bool claim_anew(Ward& ward);
  bool book(Ward& ward, const Result<Step>& step, HealKind kind, const std::string& how);
  void settle(Ward& ward);
  void settle_path(Ward& ward);
  bool lose(Ward& ward, const std::string& why);
  std::string describe_owner_of(Ward& ward);
  bool put_off(Ward& ward, const std::string& why);
  bool pause(Ward& ward, Clock::duration how_long);
  void leave(Ward& ward, GuardState state, const std::string& why);

  Loop& loop_;
  Owner& owner_;
  SocketWatch::Key last_key_ = 0;
  std::map<SocketWatch::Key, std::unique_ptr<Ward>> wards_;
  std::unique_ptr<SocketWatch> watch_;  // none: it could not be had
  std::chrono::milliseconds watch_patience_{};
  Timer watch_again_;  // for those that are not guarded
};

}  // namespace perch::listener
