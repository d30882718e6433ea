// SPDX-License-Identifier: Apache-2.0
#include "supervisor/keeper/line.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/posix/unix_socket.h"
#include "supervisor/keeper/protocol.h"
#include "supervisor/process/overflow_ids.h"

namespace perch::keeper {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstRetry{100};
constexpr milliseconds kLongestRetry{5'000};
constexpr const char* kNoKeeper = "it does not speak as a keeper";

}  // namespace

Line::Line(Loop& loop, std::string path, Owner& owner, ProofOfLife& life,
           milliseconds longest_answer)
    : path_(std::move(path)),
      owner_(owner),
      life_(life),
      loop_(loop),
      retry_(loop, [this](milliseconds) { connect(); }),
      longest_answer_(longest_answer),
      overdue_(loop, [this](milliseconds) { on_overdue(); }) {}

Line::~Line() { leave(); }

void Line::connect() {
  if (phase_ != Phase::Away) return;
  retry_.disarm();
  if (const auto opened = open(); !opened) return lose(opened.error().text());
  phase_ = Phase::Greeting;
  greet();
}

void Line::greet() {
  const auto seen = life_.seen();
  if (!seen) return lose(seen.error().text());
  ask(hello(), std::array{*seen});
}

// Whoever listens there gets our sockets: it must be one of ours.
Result<void> Line::open() {
  auto socket = unix_connect(path_, SOCK_SEQPACKET, Blocking::No);
  if (!socket) return std::unexpected(std::move(socket.error()));
  const auto who = peer_credentials(socket->get());
  if (!who) return std::unexpected(who.error());
  const bool ours = who->uid == ::geteuid() && !process::is_nobody_known(who->uid);
  if (who->uid != 0 && !ours) {
    return refuse(
        path_ + " is uid " + std::to_string(who->uid) +
        "'s, and perch trusts root and its own user alone: run perch keep as one of them");
  }
  auto watcher = FdWatcher::create(loop_, socket->get(), [this](Readiness) { hear(); });
  if (!watcher) return std::unexpected(std::move(watcher.error()));
  socket_ = std::move(*socket);
  watcher_ = std::move(*watcher);
  watcher_->watch({.readable = true});
  return {};
}

void Line::leave() {
  if (phase_ == Phase::Connected && touched_.empty()) {
    [[maybe_unused]] const auto told = send_datagram(socket_.get(), bye());
  }
  hang_up();
  retry_.disarm();
}

void Line::hang_up() {
  watcher_.reset();
  socket_.reset();
  overdue_.disarm();
  phase_ = Phase::Away;
  fetched_.clear();
  touched_.clear();
  asked_.clear();
}

void Line::lose(const std::string& why) {
  hang_up();
  patience_ = std::clamp(patience_ * 2, kFirstRetry, kLongestRetry);
  retry_.arm(patience_);
  owner_.on_trouble(why);
}

void Line::touch(const std::string& key) {
  touched_.insert(key);
  ask_next();
}

bool Line::busy() const noexcept {
  return phase_ == Phase::Greeting || phase_ == Phase::Fetching || !asked_.empty();
}

bool Line::settle(milliseconds patience) {
  const auto deadline = steady_clock::now() + patience;
  while (busy()) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    pollfd answer{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (left <= milliseconds::zero() || ::poll(&answer, 1, static_cast<int>(left.count())) == 0) {
      return false;
    }
    hear();
  }
  return true;
}

void Line::hear() {
  while (phase_ != Phase::Away && receive_one()) continue;
}

bool Line::receive_one() {
  auto answer = receive_datagram(socket_.get());
  if (answer) {
    on_answer(std::move(*answer));
    return true;
  }
  switch (answer.error()) {
    case ReceiveEnd::WouldBlock:
      return false;
    case ReceiveEnd::Truncated:
      lose("no room for what it keeps: raise perch's RLIMIT_NOFILE");
      break;
    case ReceiveEnd::Closed:
    case ReceiveEnd::Failed:
      lose("it has ended the connection");
      break;
  }
  return false;
}

// Where this loop was late itself, the answer lies there.
void Line::on_overdue() {
  hear();
  if (busy() && !overdue_.armed()) lose("it does not answer");
}

void Line::on_answer(Datagram answer) {
  overdue_.disarm();
  const NotifyMessage message = NotifyMessage::parse(answer.payload);
  switch (phase_) {
    case Phase::Away:
      return;
    case Phase::Greeting:
      return on_welcome(message);
    case Phase::Fetching:
      return on_fetched(message, std::move(answer.fds));
    case Phase::Connected:
      return on_done(message);
  }
}

void Line::on_welcome(const NotifyMessage& answer) {
  if (const auto why = answer.get("REFUSED")) return lose(std::string(*why));
  if (!answer.says("WELCOME", "1")) return lose(kNoKeeper);
  apart_ = answer.says("APART", "1");
  phase_ = Phase::Fetching;
  ask(fetch_after(""));
}

// Each key comes after the last one, or it would go on for ever.
void Line::on_fetched(const NotifyMessage& answer, std::vector<UniqueFd> fds) {
  if (answer.says("END", "1")) {
    phase_ = Phase::Connected;
    patience_ = {};
    owner_.on_connected(std::exchange(fetched_, {}));
    return ask_next();
  }
  if (const auto why = answer.get("REFUSED")) return lose(std::string(*why));
  const std::string key(answer.get("KEPT").value_or(""));
  const std::string last = fetched_.empty() ? "" : fetched_.back().key;
  if (key <= last) return lose(kNoKeeper);
  fetched_.push_back({key, std::string(answer.get("FACTS").value_or("")), std::move(fds)});
  ask(fetch_after(key));
}

void Line::on_done(const NotifyMessage& answer) {
  const std::string key = std::exchange(asked_, {});
  if (answer.get("KEPT") == key) {
    owner_.on_kept(key);
  } else if (const auto why = answer.get("REFUSED")) {
    owner_.on_trouble(std::string(*why));
  } else if (answer.get("DROPPED") == key) {
    owner_.on_dropped(key);
  } else {
    return lose(kNoKeeper);
  }
  ask_next();
}

void Line::ask_next() {
  if (phase_ != Phase::Connected || !asked_.empty() || touched_.empty()) return;
  asked_ = touched_.extract(touched_.begin()).value();
  const auto offer = owner_.offer(asked_);
  if (offer) return ask(keep(asked_, offer->facts), offer->fds);
  ask(drop(asked_));
}

void Line::ask(const std::string& request, std::span<const int> fds) {
  const auto sent = send_datagram(socket_.get(), request, fds);
  if (!sent) return lose(sent.error().text());
  overdue_.arm(longest_answer_);
}

}  // namespace perch::keeper
