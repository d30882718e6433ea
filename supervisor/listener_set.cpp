// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener_set.h"

#include <filesystem>

#include "supervisor/listener/backlog.h"
#include "supervisor/process/account.h"

namespace perch {
namespace {

using Kind = ListenerSet::ClaimFailure::Kind;

Result<listener::ClaimRequest> request_of(const std::string& name,
                                          const config::ListenerConfig& config) {
  listener::ClaimRequest request{.path = config.path,
                                 .mode = config.mode,
                                 .uid = std::nullopt,
                                 .gid = std::nullopt,
                                 .backlog = config.backlog,
                                 .on_exit = config.on_exit};
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

// "/run//a" and "/run/a" are one; links are not looked at.
bool is_same_path(const std::filesystem::path& one, const std::filesystem::path& other) {
  return one.lexically_normal() == other.lexically_normal();
}

std::string_view name_of(listener::ClaimedAs claimed) {
  switch (claimed) {
    case listener::ClaimedAs::Bound:
      return "bound";
    case listener::ClaimedAs::ReplacedStale:
      return "replaced-stale";
  }
  return "bound";
}

control::ListenerStatus status_of(const listener::Listener& listener) {
  control::ListenerStatus status;
  status.path = listener.parts().path;
  if (listener.inode() != 0) status.inode = listener.inode();
  if (const auto depth = listener.queue_depth()) {
    status.queued = depth->queued;
    status.backlog = depth->backlog;
  }
  status.claimed = name_of(listener.parts().claimed);
  status.healable = listener.parts().healable;
  return status;
}

}  // namespace

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

void ListenerSet::put(const std::string& name, SharedListener listener) {
  journal_.record({.type = control::Event::Type::ListenerClaimed,
                   .listener = name,
                   .message = fmt::format("listener {}: {} {} (inode {})", name,
                                          name_of(listener->parts().claimed),
                                          listener->parts().path, listener->inode())});
  listeners_[name] = std::move(listener);
}

void ListenerSet::retire(const std::string& name, PathGoes when) {
  const SharedListener listener = find({name}).front();
  listeners_.erase(name);
  listener->set_on_exit(config::OnExit::Unlink);
  std::erase_if(retired_, [](const auto& old) { return old.expired(); });
  if (when == PathGoes::AtOnce) {
    listener->remove_path();
  } else {
    retired_.push_back(listener);
  }
  journal_.record(
      {.type = control::Event::Type::ListenerRetired,
       .listener = name,
       .message = fmt::format("listener {}: {} is retired", name, listener->parts().path)});
}

SharedListener ListenerSet::at_path(const std::string& path) const {
  for (const auto& [name, listener] : listeners_) {
    if (is_same_path(listener->parts().path, path)) return listener;
  }
  for (const auto& retired : retired_) {
    const SharedListener listener = retired.lock();
    if (listener && is_same_path(listener->parts().path, path)) return listener;
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

Result<void> ListenerSet::check(const std::string& name, const config::ListenerConfig& config) {
  if (auto request = request_of(name, config); !request) {
    return std::unexpected(std::move(request.error()));
  }
  return {};
}

void ListenerSet::adjust(const std::string& name, const config::ListenerConfig& config) {
  const auto found = listeners_.find(name);
  PERCH_CHECK(found != listeners_.end());
  listener::Listener& listener = *found->second;
  const auto say = [&](const Result<void>& done) {
    if (!done) log_.warn("listener {}: {}", name, done.error().text());
  };
  listener.set_on_exit(config.on_exit);
  say(listener.set_backlog(config.backlog));
  if (const auto warning = listener::backlog_warning(config.path, config.backlog)) {
    log_.warn("listener {}: {}", name, *warning);
  }
  if (config.mode) say(listener.set_mode(*config.mode));
  const auto request = request_of(name, config);
  if (!request) return log_.warn("{}", request.error().text());
  say(listener.set_owner(request->uid, request->gid));
}

std::map<std::string, control::ListenerStatus> ListenerSet::status() const {
  std::map<std::string, control::ListenerStatus> status;
  for (const auto& [name, listener] : listeners_) status[name] = status_of(*listener);
  return status;
}

}  // namespace perch
