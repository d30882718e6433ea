// SPDX-License-Identifier: Apache-2.0
#include "supervisor/claiming.h"

#include <fmt/format.h>

#include "supervisor/config/units.h"

namespace perch {
namespace {

using std::chrono::steady_clock;

// The end of another's ownership makes no news that we could wait for.
constexpr std::chrono::milliseconds kRetry{100};

}  // namespace

Claiming::Claiming(Loop& loop, Log& log, ListenerSet& listeners, Keeping& keeping, OnDone on_done,
                   OnFailed on_failed)
    : log_(log),
      listeners_(listeners),
      keeping_(keeping),
      on_done_(std::move(on_done)),
      on_failed_(std::move(on_failed)),
      retry_(loop, [this](std::chrono::milliseconds) { try_all(); }) {}

void Claiming::start(const std::map<std::string, config::ListenerConfig>& wanted) {
  wanted_ = wanted;
  started_ = steady_clock::now();
  try_all();
}

void Claiming::try_all() {
  keeping_.fetch();
  for (auto next = wanted_.begin(); next != wanted_.end();) {
    const auto& [name, config] = *next;
    auto claimed = obtain(name, config);
    if (claimed) {
      listeners_.put(name, std::move(*claimed));
      next = wanted_.erase(next);
      continue;
    }
    if (gives_up(name, claimed.error())) return on_failed_(claimed.error());
    ++next;
  }
  if (wanted_.empty()) {
    keeping_.claimed();
    return on_done_();
  }
  keeping_.yield();
  retry_.arm(kRetry);
}

// What may still be good stays with the keeper: a claim beside it would fail, and one that threw it
// away would turn its clients away.
ListenerSet::Claimed Claiming::obtain(const std::string& name,
                                      const config::ListenerConfig& config) {
  auto kept = keeping_.take(config.path);
  if (!kept) return listeners_.claim(name, config);
  auto revived = listeners_.revive(name, config, std::move(kept->listener));
  if (revived) return std::move(*revived);
  using Kind = listener::NotRevived::Kind;
  const auto& [kind, why] = revived.error();
  if (kind == Kind::CannotTell) {
    return std::unexpected(ListenerSet::ClaimFailure{
        ListenerSet::ClaimFailure::Kind::System,
        fmt::format("{}; the keeper goes on keeping {} for the next start", why, config.path)});
  }
  if (kind == Kind::Elsewhere && !kept->is_ours) {
    keeping_.leave_alone(config.path);
    return listeners_.claim(name, config);
  }
  log_.warn("listener {}: what the keeper has of {} is of no use, and it is claimed anew: {}", name,
            config.path, why);
  keeping_.discard(config.path);
  return listeners_.claim(name, config);
}

bool Claiming::gives_up(const std::string& name, const ListenerSet::ClaimFailure& failure) {
  if (failure.kind != ListenerSet::ClaimFailure::Kind::Owned) return true;
  const auto patience = wanted_.at(name).wait_for_owner;
  if (steady_clock::now() - started_ >= patience) return true;
  if (announced_[name] != failure.text) {
    log_.info("listener {}: {}; waiting up to {} for it to go", name, failure.text,
              config::duration_text(patience));
    announced_[name] = failure.text;
  }
  return false;
}

}  // namespace perch
