// SPDX-License-Identifier: Apache-2.0
// ListenerSet: the listeners perch holds, by name, and guards. A generation shares the ones it was
// given, so a listener that a reload took out of the configuration, or that was claimed anew,
// closes only when the last generation that serves it has ended.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "common/value/error.h"
#include "supervisor/config/schema.h"
#include "supervisor/control/status.h"
#include "supervisor/journal.h"
#include "supervisor/listener/claim.h"
#include "supervisor/listener/guardian.h"
#include "supervisor/listener/revive.h"
#include "supervisor/log.h"

namespace perch {

using SharedListener = std::shared_ptr<listener::Listener>;

class ListenerSet final : private listener::Guardian::Owner {
 public:
  // Why a claim came to nothing. `owned`: waiting may help.
  struct ClaimFailure {
    enum class Kind { Owned, Refused, System } kind;
    std::string text;
    // The line for people, once nobody waits any more.
    [[nodiscard]] std::string final_text() const;
  };
  using Claimed = std::expected<SharedListener, ClaimFailure>;

  // `on_replaced`: another socket stands at some listener's path. Workers are not to be touched
  // from it: whoever is just being started or reloaded asks for the listeners himself.
  using OnReplaced = std::function<void()>;
  // `on_changed`: other listeners are in the set than before.
  using OnChanged = std::function<void()>;
  ListenerSet(Loop& loop, Log& log, Journal& journal, OnReplaced on_replaced, OnChanged on_changed);

  // One attempt; does not enter the set yet.
  Claimed claim(const std::string& name, const config::ListenerConfig& config);
  // The same with what a keeper had for its path.
  std::expected<SharedListener, listener::NotRevived> revive(const std::string& name,
                                                             const config::ListenerConfig& config,
                                                             listener::KeptListener kept);
  void put(const std::string& name, SharedListener listener);
  // A start fails after all: what it has taken up from a keeper stays, for the next start.
  void leave_revived();
  // It is in the set under another name.
  void forget(const std::string& name);
  // No configuration names it any more. Its path goes when the last generation that serves it has
  // ended; at once where those that do can be asked to accept what is queued and to let it go.
  enum class PathGoes { AtOnce, WithItsLastHolder };
  void retire(const std::string& name, PathGoes when);
  // The listener at this path: in the set, or retired and still served.
  [[nodiscard]] SharedListener at_path(const std::string& path) const;
  [[nodiscard]] bool has(const std::string& name) const { return listeners_.contains(name); }
  [[nodiscard]] const std::map<std::string, SharedListener>& all() const { return listeners_; }
  // In the given order; every name is in the set.
  [[nodiscard]] std::vector<SharedListener> find(const std::vector<std::string>& names) const;
  // The same for a worker that is about to start: none that was shut down until now.
  std::vector<SharedListener> find_fresh(const std::vector<std::string>& names);

  // Whether the names in it mean something here; nothing is touched.
  static Result<void> check(const std::string& name, const config::ListenerConfig& config);
  // What a reload can change on a socket that is in use.
  void adjust(const std::string& name, const config::ListenerConfig& config);
  // A worker serves these now, and may have called listen(): the backlog and whom clients see as
  // their peer (SO_PEERCRED) are set again, at once and for those who begin late.
  void on_served(const std::vector<std::string>& names);
  // Before perch ends: what its workers did to the paths as they went is put right.
  void look_once_more() { guardian_.tend_all(); }
  // A live owner has one of the paths.
  [[nodiscard]] bool any_lost() const;
  [[nodiscard]] std::map<std::string, control::ListenerStatus> status() const;

 private:
  void on_healed(const std::string& name, listener::HealKind kind, const std::string& how) override;
  void on_succeeded(const std::string& name, const SharedListener& successor) override;
  void on_lost(const std::string& name, const std::string& why) override;
  void on_trouble(const std::string& name, const std::string& what) override;
  void on_unguarded(const std::string& name, const std::string& why) override;
  void restore(const std::string& name);
  void adjust(listener::Listener& listener, const std::string& name,
              const config::ListenerConfig& config);
  [[nodiscard]] control::ListenerStatus status_of(const std::string& name,
                                                  const listener::Listener& listener) const;

  Log& log_;
  Journal& journal_;
  std::map<std::string, SharedListener> listeners_;
  std::vector<std::weak_ptr<listener::Listener>> retired_;
  std::map<std::string, std::uint64_t> backlogs_restored_;
  OnReplaced on_replaced_;
  OnChanged on_changed_;
  std::set<std::string> served_lately_;
  Timer restore_later_;
  listener::Guardian guardian_;  // last: the first to go, before the paths do
};

}  // namespace perch
