// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener_set.h"

#include <algorithm>
#include <utility>

#include "common/posix/unix_socket.h"
#include "supervisor/listener/backlog.h"
#include "supervisor/process/account.h"

namespace perch {
namespace {

using Kind = ListenerSet::ClaimFailure::Kind;

// What a worker has until its own listen() is behind it, where nobody can say.
constexpr std::chrono::seconds kUntilServed{1};

Result<listener::ClaimRequest> request_of(const std::string& name,
                                          const config::ListenerConfig& config) {
  listener::ClaimRequest request{.path = config.path,
                                 .mode = config.mode,
                                 .uid = std::nullopt,
                                 .gid = std::nullopt,
                                 .backlog = config.backlog,
                                 .on_exit = config.on_exit,
                                 .peercred = config.peercred};
  if (!config.user.empty()) {
    const auto uid = process::resolve_user(config.user);
    if (!uid) return fail_within("listeners." + name + ".user", uid.error());
    request.uid = *uid;
  }
  if (!config.group.empty()) {
    const auto gid = process::resolve_group(config.group);
    if (!gid) return fail_within("listeners." + name + ".group", gid.error());
    request.gid = *gid;
  }
  return request;
}

std::string_view name_of(listener::ClaimedAs claimed) {
  switch (claimed) {
    case listener::ClaimedAs::Bound:
      return "bound";
    case listener::ClaimedAs::ReplacedStale:
      return "replaced-stale";
    case listener::ClaimedAs::Revived:
      return "revived";
  }
  return "bound";
}

std::string_view name_of(listener::GuardState state) {
  switch (state) {
    case listener::GuardState::Listening:
      return "listening";
    case listener::GuardState::Lost:
      return "lost";
    case listener::GuardState::Away:
      return "away";
  }
  return "listening";
}

control::Event::Type event_of(listener::HealKind kind) {
  switch (kind) {
    case listener::HealKind::Displaced:
      return control::Event::Type::ListenerDisplaced;
    case listener::HealKind::Rebound:
      return control::Event::Type::ListenerRebound;
    case listener::HealKind::Reclaimed:
      return control::Event::Type::ListenerReclaimed;
    case listener::HealKind::Removed:
    case listener::HealKind::Replaced:
    case listener::HealKind::Mode:
    case listener::HealKind::Spare:
      break;
  }
  return control::Event::Type::ListenerHealed;
}

}  // namespace

ListenerSet::ListenerSet(Loop& loop, Log& log, Journal& journal, OnReplaced on_replaced,
                         OnChanged on_changed)
    : log_(log),
      journal_(journal),
      on_replaced_(std::move(on_replaced)),
      on_changed_(std::move(on_changed)),
      restore_later_(loop,
                     [this](std::chrono::milliseconds) {
                       for (const std::string& name : std::exchange(served_lately_, {})) {
                         restore(name);
                       }
                     }),
      guardian_(loop, *this) {}

std::string ListenerSet::ClaimFailure::final_text() const {
  return kind == Kind::Owned ? text + "; end that one, or use another path" : text;
}

ListenerSet::Claimed ListenerSet::claim(const std::string& name,
                                        const config::ListenerConfig& config) {
  const auto request = request_of(name, config);
  if (!request) return std::unexpected(ClaimFailure{Kind::System, request.error().text()});
  listener::Warnings warnings;
  auto outcome = listener::claim(*request, warnings);
  for (const std::string& warning : warnings) log_.warn("listener {}: {}", name, warning);
  if (!outcome) return std::unexpected(ClaimFailure{Kind::System, outcome.error().text()});
  if (const auto* owned = std::get_if<listener::Owned>(&*outcome)) {
    return std::unexpected(
        ClaimFailure{Kind::Owned, "claim " + config.path + ": owned by " + owned->by});
  }
  if (const auto* refused = std::get_if<listener::Refused>(&*outcome)) {
    return std::unexpected(ClaimFailure{Kind::Refused, refused->why});
  }
  return std::make_shared<listener::Listener>(std::get<listener::Listener>(std::move(*outcome)));
}

// A worker of the perch before may have changed the backlog with a listen() of its own, whoever is
// to be the clients' peer from now on.
std::expected<SharedListener, listener::NotRevived> ListenerSet::revive(
    const std::string& name, const config::ListenerConfig& config, listener::KeptListener kept) {
  using enum listener::NotRevived::Kind;
  const auto request = request_of(name, config);
  if (!request) {
    return std::unexpected(listener::NotRevived{CannotTell, request.error().text()});
  }
  auto revived = listener::revive(std::move(kept), *request);
  if (!revived) return std::unexpected(std::move(revived.error()));
  auto listener = std::make_shared<listener::Listener>(std::move(*revived));
  if (const auto set = listener->set_backlog(config.backlog); !set) {
    log_.warn("listener {}: {}", name, set.error().text());
  }
  adjust(*listener, name, config);
  return listener;
}

void ListenerSet::put(const std::string& name, SharedListener listener) {
  journal_.record({.type = control::Event::Type::ListenerClaimed,
                   .listener = name,
                   .message = fmt::format("listener {}: {} {} (inode {})", name,
                                          name_of(listener->parts().claimed), listener->path(),
                                          listener->inode())});
  guardian_.release(name);
  listeners_[name] = listener;
  guardian_.guard(name, std::move(listener));
  on_changed_();
}

void ListenerSet::leave_revived() {
  for (const auto& [name, listener] : listeners_) {
    const bool revived = listener->parts().claimed == listener::ClaimedAs::Revived;
    if (revived) listener->set_on_exit(config::OnExit::Keep);
  }
}

void ListenerSet::forget(const std::string& name) {
  guardian_.release(name);
  backlogs_restored_.erase(name);
  listeners_.erase(name);
  on_changed_();
}

void ListenerSet::retire(const std::string& name, PathGoes when) {
  const SharedListener listener = find({name}).front();
  forget(name);
  listener->set_on_exit(config::OnExit::Unlink);
  std::erase_if(retired_, [](const auto& old) { return old.expired(); });
  if (when == PathGoes::AtOnce) {
    listener->remove_path();
  } else {
    retired_.push_back(listener);
  }
  journal_.record({.type = control::Event::Type::ListenerRetired,
                   .listener = name,
                   .message = fmt::format("listener {}: {} is retired", name, listener->path())});
}

SharedListener ListenerSet::at_path(const std::string& path) const {
  const std::string wanted = normal_socket_path(path);
  for (const auto& [name, listener] : listeners_) {
    if (normal_socket_path(listener->path()) == wanted) return listener;
  }
  for (const auto& retired : retired_) {
    const SharedListener listener = retired.lock();
    if (listener && normal_socket_path(listener->path()) == wanted) return listener;
  }
  return nullptr;
}

std::vector<SharedListener> ListenerSet::find(const std::vector<std::string>& names) const {
  std::vector<SharedListener> found;
  for (const std::string& name : names) {
    const auto listener = listeners_.find(name);
    PERCH_CHECK(listener != listeners_.end());
    found.push_back(listener->second);
  }
  return found;
}

std::vector<SharedListener> ListenerSet::find_fresh(const std::vector<std::string>& names) {
  guardian_.hear_shut_downs();
  return find(names);
}

Result<void> ListenerSet::check(const std::string& name, const config::ListenerConfig& config) {
  if (auto request = request_of(name, config); !request) {
    return std::unexpected(std::move(request.error()));
  }
  return {};
}

void ListenerSet::adjust(const std::string& name, const config::ListenerConfig& config) {
  const auto found = listeners_.find(name);
  PERCH_CHECK(found != listeners_.end());
  adjust(*found->second, name, config);
}

void ListenerSet::adjust(listener::Listener& listener, const std::string& name,
                         const config::ListenerConfig& config) {
  const auto say = [&](const Result<void>& done) {
    if (!done) log_.warn("listener {}: {}", name, done.error().text());
  };
  listener.set_on_exit(config.on_exit);
  listener.set_peercred(config.peercred);
  // listen() makes perch the peer that clients see.
  const bool same_backlog = listener.parts().request.backlog == config.backlog;
  if (!same_backlog || config.peercred == config::PeerCredentials::Perch) {
    say(listener.set_backlog(config.backlog));
  }
  if (const auto warning = listener::backlog_warning(config.path, config.backlog)) {
    log_.warn("listener {}: {}", name, *warning);
  }
  say(listener.set_mode(config.mode));
  const auto request = request_of(name, config);
  if (!request) return log_.warn("{}", request.error().text());
  say(listener.set_owner(request->uid, request->gid));
}

std::map<std::string, control::ListenerStatus> ListenerSet::status() const {
  std::map<std::string, control::ListenerStatus> status;
  for (const auto& [name, listener] : listeners_) status[name] = status_of(name, *listener);
  return status;
}

control::ListenerStatus ListenerSet::status_of(const std::string& name,
                                               const listener::Listener& listener) const {
  const auto report = guardian_.report(name);
  const auto restored = backlogs_restored_.find(name);
  control::ListenerStatus status;
  status.path = listener.path();
  if (listener.inode() != 0) status.inode = listener.inode();
  if (const auto depth = listener.queue_depth()) {
    status.queued = depth->queued;
    status.backlog = depth->backlog;
  }
  status.claimed = name_of(listener.parts().claimed);
  status.state = name_of(report.state);
  status.mode = listener.mode();
  status.guarded = report.guarded;
  status.healable = listener.parts().healable;
  status.heals = report.heals;
  status.last_outage = report.last_outage;
  if (restored != backlogs_restored_.end()) status.backlog_restored = restored->second;
  return status;
}

bool ListenerSet::any_lost() const {
  return std::ranges::any_of(listeners_, [&](const auto& entry) {
    return guardian_.report(entry.first).state == listener::GuardState::Lost;
  });
}

// A worker whose start is its readiness calls listen() only then, hence once more a little later.
void ListenerSet::on_served(const std::vector<std::string>& names) {
  for (const std::string& name : names) restore(name);
  served_lately_.insert(names.begin(), names.end());
  restore_later_.arm(kUntilServed);
}

void ListenerSet::restore(const std::string& name) {
  const auto found = listeners_.find(name);
  if (found == listeners_.end()) return;
  listener::Listener& listener = *found->second;
  const auto& request = listener.parts().request;
  if (request.peercred == config::PeerCredentials::Worker) return;
  const auto before = listener.queue_depth();
  if (const auto set = listener.set_backlog(request.backlog); !set) {
    return log_.warn("listener {}: {}", name, set.error().text());
  }
  const auto now = listener.queue_depth();
  if (!before || !now || before->backlog >= now->backlog) return;
  ++backlogs_restored_[name];
  journal_.record(
      {.type = control::Event::Type::BacklogRestored,
       .listener = name,
       .message = fmt::format("listener {}: a worker had set its backlog to {}; it is {}", name,
                              before->backlog, now->backlog)});
}

void ListenerSet::on_healed(const std::string& name, listener::HealKind kind,
                            const std::string& how) {
  journal_.record({.type = event_of(kind),
                   .listener = name,
                   .message = fmt::format("listener {}: {}", name, how)});
}

void ListenerSet::on_succeeded(const std::string& name, const SharedListener& successor) {
  listeners_.at(name) = successor;
  on_changed_();
  on_replaced_();
}

void ListenerSet::on_lost(const std::string& name, const std::string& why) {
  journal_.record({.type = control::Event::Type::ListenerLost,
                   .listener = name,
                   .message = fmt::format("listener {}: is not at its path: {}", name, why)});
}

void ListenerSet::on_trouble(const std::string& name, const std::string& what) {
  log_.warn("listener {}: {}", name, what);
}

void ListenerSet::on_unguarded(const std::string& name, const std::string& why) {
  log_.warn("listener {}: a path that somebody removes is not put back: {}", name, why);
}

}  // namespace perch
