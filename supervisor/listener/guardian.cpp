// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/guardian.h"

#include <algorithm>
#include <utility>

#include "common/posix/unix_socket.h"
#include "supervisor/listener/claim.h"
#include "supervisor/listener/heal.h"
#include "supervisor/listener/owner_probe.h"

namespace perch::listener {
namespace {

using std::chrono::milliseconds;

// How often somebody may come between two looks before perch waits a little.
constexpr int kSteps = 16;
// Between tries where something cannot be put right: no directory, no permission.
constexpr milliseconds kFirstRetry{10};
constexpr milliseconds kLongestRetry{1'000};
// The end of a live owner makes no news.
constexpr std::chrono::seconds kOwnerProbe{5};
// Between tries to watch what the kernel refused to.
constexpr milliseconds kFirstWatch{100};
constexpr milliseconds kLongestWatch{60'000};

constexpr const char* kTakenTooOften =
    "its path was taken away 10 times within a second, most likely by a worker that binds for "
    "itself: give that one handover = \"intercept\"; perch leaves the path alone for a while";
constexpr const char* kAbstractLost =
    "a worker has shut it down, and an abstract name cannot be claimed anew while somebody has the "
    "old socket: use a path, or handover = \"intercept\"; restart perch";

bool is_of_path(HealKind kind) { return kind != HealKind::Mode && kind != HealKind::Spare; }
bool is_of_path(Remedy remedy) {
  return remedy != Remedy::RestoreMode && remedy != Remedy::RestoreSpare;
}

}  // namespace

Guardian::Guardian(Loop& loop, Owner& owner)
    : loop_(loop), owner_(owner), watch_again_(loop, [this](milliseconds) { watch_again(); }) {}

void Guardian::guard(const std::string& name, Shared listener) {
  const SocketWatch::Key key = ++last_key_;
  auto ward = std::make_unique<Ward>(loop_, key, name, std::move(listener),
                                     [this, key](milliseconds) { tend(*wards_.at(key)); });
  Ward& guarded = *(wards_[key] = std::move(ward));
  watch(guarded);
  // Whatever happened between the claim and the watch.
  if (guarded.report.guarded) tend(guarded);
}

Result<void> Guardian::try_watch(Ward& ward) {
  if (!watch_) {
    auto made = SocketWatch::create(loop_, *this);
    if (!made) return std::unexpected(std::move(made.error()));
    watch_ = std::move(*made);
  }
  auto watched = watch_->add(ward.key, *ward.listener);
  if (!watched) watch_->remove(ward.key);
  return watched;
}

void Guardian::watch(Ward& ward) {
  const auto watched = try_watch(ward);
  ward.report.guarded = watched.has_value();
  const std::string why = watched ? "" : watched.error().text();
  if (std::exchange(ward.unguarded, why) != why && !watched) owner_.on_unguarded(ward.name, why);
  if (watched || watch_again_.armed()) return;
  watch_patience_ = std::clamp(watch_patience_ * 2, kFirstWatch, kLongestWatch);
  watch_again_.arm(watch_patience_);
}

// A limit was met that is perch's or the user's, not the listener's: it may have been raised.
void Guardian::watch_again() {
  for (const auto& [key, ward] : wards_) {
    if (ward->report.guarded) continue;
    watch(*ward);
    if (ward->report.guarded) tend(*ward);
  }
  if (!watch_again_.armed()) watch_patience_ = {};
}

void Guardian::release(const std::string& name) {
  std::erase_if(wards_, [&](const auto& entry) {
    if (entry.second->name != name) return false;
    if (watch_) watch_->remove(entry.first);
    return true;
  });
}

void Guardian::hear_shut_downs() {
  if (watch_) watch_->on_socket_events();
}

void Guardian::tend_all() {
  for (const auto& [key, ward] : wards_) {
    if (ward->report.guarded) tend(*ward);
  }
}

Guardian::Report Guardian::report(const std::string& name) const {
  const auto found =
      std::ranges::find_if(wards_, [&](const auto& entry) { return entry.second->name == name; });
  return found == wards_.end() ? Report{} : found->second->report;
}

void Guardian::on_touched(SocketWatch::Key key) {
  if (const auto ward = wards_.find(key); ward != wards_.end()) tend(*ward->second);
}

void Guardian::on_shut_down(SocketWatch::Key key) {
  const auto ward = wards_.find(key);
  if (ward == wards_.end()) return;
  ward->second->listens = Listens::No;
  tend(*ward->second);
}

// What we do to the inode is news to the watch as well: one more look, which finds nothing wrong.
void Guardian::tend(Ward& ward) {
  for (int step = 0; step < kSteps; ++step) {
    const auto look = look_at(*ward.listener, ward.listens);
    if (!look) {
      put_off(ward, look.error().text());
      return;
    }
    const Remedy remedy = remedy_for(look->sight);
    if (remedy == Remedy::None) return settle(ward);
    if (!take_step(ward, *look, remedy)) return;
  }
  put_off(ward, "somebody keeps changing what stands at its path");
}

bool Guardian::take_step(Ward& ward, const Look& look, Remedy remedy) {
  const auto now = Clock::now();
  if (!is_of_path(remedy)) {
    settle_path(ward);
    if (const auto how_long = ward.file_pace.pause(now)) {
      ward.retry.arm(*how_long);
      return false;
    }
    return apply(ward, look, remedy);
  }
  if (!ward.wrong_since) ward.wrong_since = now;
  if (remedy == Remedy::Yield) return lose(ward, look.sight.abstract ? kAbstractLost : "");
  if (const auto how_long = ward.pace.pause(now)) return pause(ward, *how_long);
  return apply(ward, look, remedy);
}

bool Guardian::apply(Ward& ward, const Look& look, Remedy remedy) {
  switch (remedy) {
    case Remedy::None:
    case Remedy::Yield:
      break;
    case Remedy::LinkBack:
      return book(ward, link_back(*ward.listener), HealKind::Removed,
                  "its path was removed and is linked again");
    case Remedy::ExchangeBack:
      return exchange(ward, *look.found);
    case Remedy::Displace:
      return move_aside(ward, *look.found);
    case Remedy::ClaimAnew:
      return claim_anew(ward);
    case Remedy::RestoreMode:
      return restore_mode(ward);
    case Remedy::RestoreSpare: {
      const auto made = restore_spare(*ward.listener);
      if (!made) owner_.on_trouble(ward.name, made.error().text());
      return !made || book(ward, Step::Done, HealKind::Spare, "its spare link is made again");
    }
  }
  return true;
}

bool Guardian::exchange(Ward& ward, const PinnedFile& dead) {
  Warnings warnings;
  auto exchanged = exchange_back(*ward.listener, dead, warnings);
  for (const std::string& warning : warnings) owner_.on_trouble(ward.name, warning);
  return book(ward, exchanged, HealKind::Replaced, "a dead socket stood at its path and is gone");
}

bool Guardian::move_aside(Ward& ward, const PinnedFile& other) {
  const auto aside = displace(*ward.listener, other);
  if (!aside) return put_off(ward, aside.error().text());
  if (aside->empty()) return true;
  // Where that cannot be done the next look says why.
  [[maybe_unused]] const auto linked = link_back(*ward.listener);
  return book(ward, Step::Done, HealKind::Displaced,
              std::string(other.type_name()) + " stood at its path and is " + *aside + " now");
}

// What cannot be set again stands.
bool Guardian::restore_mode(Ward& ward) {
  const auto set = ward.listener->set_mode(ward.listener->parts().request.mode);
  if (set) return book(ward, Step::Done, HealKind::Mode, "its mode was changed and is set again");
  owner_.on_trouble(ward.name, set.error().text());
  return ward.listener->set_mode(std::nullopt).has_value();
}

bool Guardian::claim_anew(Ward& ward) {
  Warnings warnings;
  auto outcome = listener::claim_anew(*ward.listener, warnings);
  for (const std::string& warning : warnings) owner_.on_trouble(ward.name, warning);
  if (!outcome) return put_off(ward, outcome.error().text());
  if (const auto* owned = std::get_if<Owned>(&*outcome)) return lose(ward, owned->by);
  if (const auto* refused = std::get_if<Refused>(&*outcome)) return put_off(ward, refused->why);
  const bool shut_down = std::exchange(ward.listens, Listens::Yes) == Listens::No;
  if (watch_) watch_->remove(ward.key);
  ward.listener = std::make_shared<Listener>(std::get<Listener>(std::move(*outcome)));
  watch(ward);
  book(ward, Step::Done, shut_down ? HealKind::Reclaimed : HealKind::Rebound,
       shut_down ? "a worker shut it down; it is a new socket"
                 : "its path and its spare link were removed; it is a new socket");
  owner_.on_succeeded(ward.name, ward.listener);
  return true;
}

bool Guardian::book(Ward& ward, const Result<Step>& step, HealKind kind, const std::string& how) {
  if (!step) return put_off(ward, step.error().text());
  if (*step == Step::LookAgain) return true;
  const auto now = Clock::now();
  (is_of_path(kind) ? ward.pace : ward.file_pace).note_heal(now);
  ++ward.report.heals.at(static_cast<std::size_t>(kind));
  if (is_of_path(kind)) {
    ward.report.state = GuardState::Listening;
    ward.report.last_outage = now - *ward.wrong_since;
    ward.wrong_since.reset();
  }
  owner_.on_healed(ward.name, kind, how);
  return true;
}

void Guardian::settle(Ward& ward) {
  ward.retry.disarm();
  settle_path(ward);
}

void Guardian::settle_path(Ward& ward) {
  ward.wrong_since.reset();
  ward.patience = {};
  ward.trouble.clear();
  if (std::exchange(ward.report.state, GuardState::Listening) == GuardState::Listening) return;
  owner_.on_trouble(ward.name, "its path leads to it again, by somebody else's doing");
}

// Whoever it is took the path from us: we wait for its end.
bool Guardian::lose(Ward& ward, const std::string& why) {
  const bool news = ward.report.state != GuardState::Lost;
  const std::string& path = ward.listener->path();
  if (news && why.empty()) {
    leave(ward, GuardState::Lost, describe_owner_of(ward) + " stands at " + path);
  } else if (news) {
    leave(ward, GuardState::Lost, why);
  }
  if (!is_abstract(path)) ward.retry.arm(kOwnerProbe);
  return false;
}

// To find the process takes a walk through all of /proc, and somebody may come and go all the time.
std::string Guardian::describe_owner_of(Ward& ward) {
  const auto now = Clock::now();
  if (ward.owner_described && now - *ward.owner_described < kOwnerProbe) return "a live socket";
  ward.owner_described = now;
  return describe_owner(ward.listener->path());
}

bool Guardian::put_off(Ward& ward, const std::string& why) {
  ward.patience = std::clamp(ward.patience * 2, kFirstRetry, kLongestRetry);
  leave(ward, GuardState::Away, why);
  ward.retry.arm(ward.patience);
  return false;
}

bool Guardian::pause(Ward& ward, Clock::duration how_long) {
  leave(ward, GuardState::Away, kTakenTooOften);
  ward.retry.arm(how_long);
  return false;
}

void Guardian::leave(Ward& ward, GuardState state, const std::string& why) {
  const bool moved = std::exchange(ward.report.state, state) != state;
  const bool news = std::exchange(ward.trouble, why) != why;
  if (moved) {
    owner_.on_lost(ward.name, why);
  } else if (news) {
    owner_.on_trouble(ward.name, why);
  }
}

}  // namespace perch::listener
