// SPDX-License-Identifier: Apache-2.0
#include "supervisor/keeping.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "common/posix/unix_socket.h"
#include "common/value/text.h"

namespace perch {
namespace {

using std::chrono::milliseconds;

// A keeper that hangs must not hold up a start or an end.
constexpr milliseconds kPatience{2'000};

// What is refused for want of room or of descriptors may be taken later, and nothing tells when.
constexpr milliseconds kOfferAgain{5'000};

// Which descriptors they are, in their order; another version of perch may make another list.
constexpr std::string_view kPathFacts = "socket file lock";
constexpr std::string_view kAbstractFacts = "socket";

// After that, whose they are.
constexpr std::string_view kOf = " of ";
constexpr std::size_t kLongestIdentity = 512;

// On one line, and no longer than facts may be: the end of a path tells more than its beginning.
std::string identity_of(const std::string& config_file) {
  if (config_file.empty()) return {};
  std::error_code unknown;
  const auto path = std::filesystem::absolute(config_file, unknown).lexically_normal();
  const std::string line = printable(path.string());
  return line.size() > kLongestIdentity ? line.substr(line.size() - kLongestIdentity) : line;
}

std::string_view what_in(std::string_view facts) { return facts.substr(0, facts.find(kOf)); }

std::string_view identity_in(std::string_view facts) {
  const auto of = facts.find(kOf);
  return of == std::string_view::npos ? std::string_view() : facts.substr(of + kOf.size());
}

std::optional<listener::KeptListener> as_listener(keeper::Line::Fetched& fetched) {
  auto& fds = fetched.fds;
  const std::string_view what = what_in(fetched.facts);
  if (what == kAbstractFacts && fds.size() == 1) {
    return listener::KeptListener{.socket = std::move(fds[0]), .file = {}, .lock = {}};
  }
  if (what != kPathFacts || fds.size() != 3) return std::nullopt;
  return listener::KeptListener{
      .socket = std::move(fds[0]), .file = std::move(fds[1]), .lock = std::move(fds[2])};
}

}  // namespace

Keeping::Keeping(Loop& loop, Log& log, const ListenerSet& listeners, const std::string& config_file)
    : loop_(loop),
      log_(log),
      listeners_(listeners),
      identity_(identity_of(config_file)),
      look_soon_(loop, [this](milliseconds) { look(); }),
      offer_again_(loop, [this](milliseconds) { offer_again(); }) {}

void Keeping::use(const std::string& path) {
  if (line_ && line_->path() == path) return;
  if (line_) take_back(true);
  line_.reset();
  held_.clear();
  to_drop_.clear();
  foreign_.clear();
  trouble_.clear();
  greeted_ = false;
  hangs_ = false;
  if (path.empty()) return;
  line_ =
      std::make_unique<keeper::Line>(loop_, path, static_cast<keeper::Line::Owner&>(*this), life_);
  if (stage_ == Stage::Running) line_->connect();
}

void Keeping::fetch() {
  if (!line_) return;
  line_->connect();
  settle();
}

// With what it cannot use the keeper holds the lock, and no claim would ever succeed.
std::optional<Keeping::Taken> Keeping::take(const std::string& path) {
  auto found = fetched_.extract(normal_socket_path(path));
  if (!found) return std::nullopt;
  auto kept = as_listener(found.mapped());
  if (!kept) {
    log_.warn("keeper {}: what it has of {} was kept for another version of perch, and is dropped",
              line_->path(), path);
    discard(path);
    return std::nullopt;
  }
  return Taken{std::move(*kept), is_ours(found.mapped())};
}

void Keeping::leave_alone(const std::string& path) {
  if (!foreign_.insert(normal_socket_path(path)).second) return;
  log_.warn(
      "keeper {}: what it has of {} is another perch's, for which that path leads elsewhere; it is "
      "left there, and this listener is not kept: give each perch a keeper of its own",
      line_->path(), path);
}

void Keeping::discard(const std::string& path) {
  if (!line_) return;
  drop(normal_socket_path(path));
  settle();
}

void Keeping::yield() {
  if (!line_ || !listeners_.all().empty()) return;
  fetched_.clear();
  // An answer that is late comes between two tries.
  if (connected()) line_->leave();
}

void Keeping::claimed() {
  stage_ = Stage::Running;
  if (!line_) return;
  for (const auto& [key, fetched] : std::exchange(fetched_, {})) {
    if (!is_ours(fetched) || find(key)) continue;
    log_.info("keeper {}: drops {}: no listener has this path any more", line_->path(), key);
    drop(key);
  }
  look_soon();
}

void Keeping::end() {
  stage_ = Stage::Leaving;
  if (!line_) return;
  look();
  take_back(false);
  line_.reset();
}

void Keeping::settle() {
  if (hangs_) return;
  hangs_ = !line_->settle(kPatience);
  if (hangs_) on_trouble("it does not answer");
}

// The keeper's copy of a lock outlives ours: a path that is to be free must not stay with it.
void Keeping::take_back(bool everything) {
  takes_all_back_ = everything;
  for (const auto& [name, listener] : listeners_.all()) {
    const bool goes = listener->parts().request.on_exit == config::OnExit::Unlink;
    if (connected() && (everything || goes)) touch(normal_socket_path(listener->path()));
  }
  const Stage stage = std::exchange(stage_, Stage::Leaving);
  settle();
  stage_ = stage;
  takes_all_back_ = false;
}

std::optional<control::KeeperStatus> Keeping::status() const {
  if (!line_) return std::nullopt;
  return control::KeeperStatus{.path = line_->path(),
                               .connected = connected(),
                               .trouble = trouble_,
                               .listeners = held_.size()};
}

// While perch runs it has all that it wants: what it had given to the keeper before is put right,
// whatever its descriptors are. What another perch left there is not perch's to touch.
void Keeping::on_connected(std::vector<keeper::Line::Fetched> kept) {
  if (!std::exchange(greeted_, true)) {
    log_.info("keeper {}: connected; it keeps {} listener(s)", line_->path(), kept.size());
  }
  hangs_ = false;
  trouble_.clear();
  const auto before = std::exchange(offered_, {});
  const auto to_drop = std::exchange(to_drop_, {});
  std::erase_if(foreign_, [&kept](const std::string& key) {
    return std::ranges::find(kept, key, &keeper::Line::Fetched::key) == kept.end();
  });
  for (auto& fetched : kept) {
    if (stage_ == Stage::Claiming) {
      fetched_[fetched.key] = std::move(fetched);
    } else if (to_drop.contains(fetched.key)) {
      drop(fetched.key);
    } else if (before.contains(fetched.key)) {
      touch(fetched.key);
    }
  }
  look_soon();
}

bool Keeping::is_ours(const keeper::Line::Fetched& fetched) const {
  return !identity_.empty() && identity_in(fetched.facts) == identity_;
}

SharedListener Keeping::find(const std::string& key) const {
  for (const auto& [name, listener] : listeners_.all()) {
    if (normal_socket_path(listener->path()) == key) return listener;
  }
  return nullptr;
}

std::optional<keeper::Line::Offer> Keeping::offer(const std::string& key) {
  const SharedListener listener = find(key);
  const bool goes = listener && stage_ == Stage::Leaving &&
                    listener->parts().request.on_exit == config::OnExit::Unlink;
  held_.erase(key);
  if (!listener || goes || takes_all_back_) return std::nullopt;
  std::string facts(listener->parts().file ? kPathFacts : kAbstractFacts);
  facts.append(kOf).append(identity_);
  return keeper::Line::Offer{.facts = std::move(facts),
                             .fds = listener::descriptors_to_keep(*listener)};
}

void Keeping::on_kept(const std::string& key) {
  held_.insert(key);
  to_drop_.erase(key);
  hangs_ = false;
  if (has_all() && !std::exchange(trouble_, {}).empty()) {
    log_.info("keeper {}: it keeps all {} listener(s) now", line_->path(), held_.size());
  }
  const SharedListener listener = find(key);
  if (listener && listener->parts().lock) listener->parts().lock->note_keeper(line_->path());
}

void Keeping::on_dropped(const std::string& key) { to_drop_.erase(key); }

void Keeping::on_trouble(const std::string& why) {
  if (!connected()) {
    held_.clear();
    greeted_ = false;
  } else {
    offer_again_.arm(kOfferAgain);
  }
  if (std::exchange(trouble_, why) == why) return;
  log_.warn(
      "keeper {}: {}; {}", line_->path(), why,
      connected() ? "that listener is not kept" : "perch runs on without it, and tries again");
}

bool Keeping::has_all() const {
  return std::ranges::all_of(offered_, [this](const auto& one) {
    return held_.contains(one.first) || foreign_.contains(one.first);
  });
}

void Keeping::offer_again() {
  if (!connected()) return;
  for (const auto& [key, listener] : offered_) {
    if (!held_.contains(key)) touch(key);
  }
}

void Keeping::look() {
  if (!connected() || stage_ == Stage::Claiming) return;
  std::map<std::string, std::weak_ptr<listener::Listener>> now;
  for (const auto& [name, listener] : listeners_.all()) {
    now[normal_socket_path(listener->path())] = listener;
  }
  for (const auto& [key, listener] : now) {
    const auto before = offered_.find(key);
    if (before == offered_.end() || before->second.lock() != listener.lock()) touch(key);
  }
  const auto before = std::exchange(offered_, std::move(now));
  for (const auto& [key, listener] : before) {
    if (!offered_.contains(key)) drop(key);
  }
}

// Where the connection ends before the keeper has done so, the next one says it again.
void Keeping::drop(const std::string& key) {
  to_drop_.insert(key);
  touch(key);
}

void Keeping::touch(const std::string& key) {
  if (!foreign_.contains(key)) line_->touch(key);
}

}  // namespace perch
