// SPDX-License-Identifier: Apache-2.0
// Claiming: the claims of all listeners at start. A live owner is waited for, up to each listener's
// wait_for_owner: an old pod that still drains must not turn into a crash loop. The loop goes on
// meanwhile, so that perch can be stopped and asked. What a keeper has from an earlier perch is
// taken up instead of claimed; it is asked at each try, since the live owner may be its owner.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>

#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "supervisor/config/schema.h"
#include "supervisor/keeping.h"
#include "supervisor/listener_set.h"
#include "supervisor/log.h"

namespace perch {

class Claiming {
 public:
  using OnDone = std::function<void()>;
  using OnFailed = std::function<void(const ListenerSet::ClaimFailure&)>;

  // Exactly one of the callbacks is called, once; perhaps from start().
  Claiming(Loop& loop, Log& log, ListenerSet& listeners, Keeping& keeping, OnDone on_done,
           OnFailed on_failed);
  void start(const std::map<std::string, config::ListenerConfig>& wanted);
  void cancel() { retry_.disarm(); }

 private:
  void try_all();
  ListenerSet::Claimed obtain(const std::string& name, const config::ListenerConfig& config);
  bool gives_up(const std::string& name, const ListenerSet::ClaimFailure& failure);

  Log& log_;
  ListenerSet& listeners_;
  Keeping& keeping_;
  OnDone on_done_;
  OnFailed on_failed_;
  std::map<std::string, config::ListenerConfig> wanted_;  // not claimed yet
  std::map<std::string, std::string> announced_;          // whom we said we wait for
  std::chrono::steady_clock::time_point started_;
  Timer retry_;
};

}  // namespace perch
