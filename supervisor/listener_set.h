// SPDX-License-Identifier: Apache-2.0
// ListenerSet: the listeners perch holds, by name. A generation shares the ones it was given, so a
// listener that a reload took out of the configuration closes only when the last generation that
// serves it has ended.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/value/error.h"
#include "supervisor/config/schema.h"
#include "supervisor/control/status.h"
#include "supervisor/journal.h"
#include "supervisor/listener/claim.h"
#include "supervisor/log.h"

namespace perch {

using SharedListener = std::shared_ptr<listener::Listener>;

class ListenerSet {
 public:
  // Why a claim came to nothing. `owned`: waiting may help.
  struct ClaimFailure {
    enum class Kind { Owned, Refused, System } kind;
    std::string text;
    // The line for people, once nobody waits any more.
    [[nodiscard]] std::string final_text() const;
  };
  using Claimed = std::expected<SharedListener, ClaimFailure>;

  ListenerSet(Log& log, Journal& journal) : log_(log), journal_(journal) {}

  // One attempt; does not enter the set yet.
  Claimed claim(const std::string& name, const config::ListenerConfig& config);
  void put(const std::string& name, SharedListener listener);
  // It is in the set under another name.
  void forget(const std::string& name) { listeners_.erase(name); }
  // No configuration names it any more. Its path goes when the last generation that serves it has
  // ended; at once where those that do can be asked to accept what is queued and to let it go.
  enum class PathGoes { AtOnce, WithItsLastHolder };
  void retire(const std::string& name, PathGoes when);
  // The listener at this path: in the set, or retired and still served.
  [[nodiscard]] SharedListener at_path(const std::string& path) const;
  [[nodiscard]] bool has(const std::string& name) const { return listeners_.contains(name); }
  // In the given order; every name is in the set.
  [[nodiscard]] std::vector<SharedListener> find(const std::vector<std::string>& names) const;

  // Whether the names in it mean something here; nothing is touched.
  static Result<void> check(const std::string& name, const config::ListenerConfig& config);
  // What a reload can change on a socket that is in use.
  void adjust(const std::string& name, const config::ListenerConfig& config);
  [[nodiscard]] std::map<std::string, control::ListenerStatus> status() const;

 private:
  Log& log_;
  Journal& journal_;
  std::map<std::string, SharedListener> listeners_;
  std::vector<std::weak_ptr<listener::Listener>> retired_;
};

}  // namespace perch
