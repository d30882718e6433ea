// SPDX-License-Identifier: Apache-2.0
// Keeping: perch's side of `perch keep`. At start it fetches the listeners that an earlier perch
// left with the keeper; from then on the keeper has what the listener set has, whatever heals and
// reloads change. A keeper that is away costs one warning. On a stop the listeners whose paths go
// are taken back; the others wait there, with their clients, for the next perch.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "supervisor/control/status.h"
#include "supervisor/keeper/line.h"
#include "supervisor/listener/revive.h"
#include "supervisor/listener_set.h"
#include "supervisor/log.h"

namespace perch {

class Keeping final : private keeper::Line::Owner {
 public:
  // `config_file` tells what an earlier life of this perch left there from what another perch did.
  // Empty: nobody can tell.
  Keeping(Loop& loop, Log& log, const ListenerSet& listeners, const std::string& config_file);

  // The keeper at this path from now on; empty: none. A former one has to give all back.
  void use(const std::string& path);

  // While perch claims. One try to reach the keeper and to fetch all that it keeps, which takes two
  // seconds at most.
  void fetch();
  struct Taken {
    listener::KeptListener listener;
    bool is_ours;  // an earlier life of this perch left it there
  };
  // What it had for this path, once.
  std::optional<Taken> take(const std::string& path);
  // What was taken is another perch's: the keeper goes on keeping that, and nothing of ours, under
  // this path.
  void leave_alone(const std::string& path);
  // What was taken is of no use: the keeper drops it, now.
  void discard(const std::string& path);
  // Some path is another's. Who has nothing yet does not stay a keeper's owner: that may be the
  // perch which is waited for.
  void yield();
  // Nothing more is to be claimed: what is left over of this perch's own is dropped.
  void claimed();

  // The set has changed, or what is in it.
  void look_soon() { look_soon_.arm(std::chrono::nanoseconds::zero()); }
  // Before perch ends.
  void end();

  // The keeper would survive an OOM kill of all of perch's container.
  [[nodiscard]] bool is_apart() const { return connected() && line_->is_apart(); }
  [[nodiscard]] bool connected() const { return line_ && line_->connected(); }
  // Nothing where no keeper is configured.
  [[nodiscard]] std::optional<control::KeeperStatus> status() const;

 private:
  enum class Stage { Claiming, Running, Leaving };

  void on_connected(std::vector<keeper::Line::Fetched> kept) override;
  std::optional<keeper::Line::Offer> offer(const std::string& key) override;
  void on_kept(const std::string& key) override;
  void on_dropped(const std::string& key) override;
  void on_trouble(const std::string& why) override;

  [[nodiscard]] SharedListener find(const std::string& key) const;
  [[nodiscard]] bool is_ours(const keeper::Line::Fetched& fetched) const;
  [[nodiscard]] bool has_all() const;
  void look();
  void touch(const std::string& key);
  void drop(const std::string& key);
  void offer_again();
  void settle();
  void take_back(bool everything);

  Loop& loop_;
  Log& log_;
  const ListenerSet& listeners_;
  const std::string identity_;
  keeper::ProofOfLife life_;
  std::unique_ptr<keeper::Line> line_;
  Timer look_soon_;
  Timer offer_again_;  // while something is refused
  Stage stage_ = Stage::Claiming;
  bool takes_all_back_ = false;
  bool hangs_ = false;    // it was waited for in vain; once is enough
  bool greeted_ = false;  // the connection was told of
  std::string trouble_;   // as it was told last; empty while all is well
  std::map<std::string, keeper::Line::Fetched> fetched_;
  std::map<std::string, std::weak_ptr<listener::Listener>> offered_;
  std::set<std::string> foreign_;  // of our paths, where another perch's are kept
  std::set<std::string> held_;     // as the keeper says
  std::set<std::string> to_drop_;  // until it has said so
};

}  // namespace perch
