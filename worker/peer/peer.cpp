// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/peer.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "common/value/human.h"
#include "worker/peer/service/own_listener.h"

namespace perch::peer {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Perch waits for this long when it says nothing else; a little is left for the end itself.
constexpr milliseconds kDrainMargin{500};
constexpr std::chrono::minutes kCollectionInterval{1};
constexpr std::chrono::seconds kStatusInterval{5};
// A census reads all tasks' records, however often somebody asks for metrics.
constexpr std::chrono::seconds kCensusInterval{10};

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};

}  // namespace

Peer::Peer(const PeerOptions& options, Store store, steady_clock::time_point started)
    : options_(options),
      started_(started),
      store_(std::move(store)),
      downloads_(loop_, store_, options.downloads),
      calls_({loop_, downloads_, host_name(), options.service}, [this] { stop_if_drained(); }),
      tasks_(store_, downloads_),
      mailbox_(loop_),
      servers_(loop_, options.service, {mailbox_, calls_, tasks_}),
      metrics_(loop_,
               [this] {
                 auto all = figures();
                 all.stored = census();
                 return to_metrics(all);
               }),
      drain_deadline_(loop_,
                      [this](auto) {
                        spdlog::warn("drain: time is over, the calls left are told to come again");
                        calls_.end_all();
                      }),
      collection_(loop_, [this](auto) { collect(); }),
      status_(loop_, [this](auto) { tell_status(); }) {}

Result<void> Peer::run() {
  outcome_ = begin();
  if (outcome_) loop_.run();
  // Also when it could not begin: a client may be connected already.
  calls_.refuse_more();
  // The letters still in it first: they may know of calls, and whatever is left ends below.
  mailbox_.close();
  calls_.end_all();
  servers_.shut_down();
  return outcome_;
}

Result<void> Peer::begin() {
  if (auto watched = watch_signals(); !watched) return watched;
  servers_.warm_up();
  if (std::getenv(worker::kChannelVariable) != nullptr) return connect_to_perch();
  return listen_alone();
}

Result<void> Peer::watch_signals() {
  for (const int number : {SIGTERM, SIGINT}) {
    auto watcher = SignalWatcher::create(
        loop_, number, [this](int) { drain("asked to stop by a signal", options_.drain_timeout); });
    if (!watcher) return std::unexpected(std::move(watcher.error()));
    signals_.push_back(std::move(*watcher));
  }
  return {};
}

Result<void> Peer::connect_to_perch() {
  auto channel = worker::Channel::from_environment();
  if (!channel) return std::unexpected(std::move(channel.error()));
  channel_.emplace(std::move(*channel));
  auto watcher = FdWatcher::create(loop_, channel_->fd(), [this](Readiness) { read_channel(); });
  if (!watcher) return std::unexpected(std::move(watcher.error()));
  channel_watcher_.emplace(std::move(*watcher));
  channel_watcher_->watch({.readable = true});
  return {};
}

Result<void> Peer::listen_alone() {
  auto listener = own_listener(options_.socket);
  if (!listener) return std::unexpected(std::move(listener.error()));
  auto listening = listen_on(options_.socket, std::move(*listener));
  if (listening && !options_.metrics.empty()) {
    auto metrics = own_listener(options_.metrics);
    if (!metrics) return std::unexpected(std::move(metrics.error()));
    listening = listen_on(kMetricsListener, std::move(*metrics));
  }
  if (listening) become_ready();
  return listening;
}

void Peer::read_channel() {
  for (;;) {
    auto event = channel_->next_event();
    if (!event) {
      spdlog::warn("{}", event.error().text());
    } else if (*event) {
      on_event(std::move(**event));
    } else {
      // Not before: what perch hands over together is polled together.
      return become_ready();
    }
  }
}

void Peer::on_event(worker::Event event) {
  std::visit(Overloaded{[this](worker::ListenerArrived& arrived) {
                          auto listening = listen_on(arrived.name, std::move(arrived.socket));
                          if (!listening) on_deaf(std::move(listening.error()));
                        },
                        [this](const worker::ListenerRetired& retired) {
                          if (retired.name == kMetricsListener) return metrics_.close();
                          const auto acceptor = acceptors_.find(retired.name);
                          if (acceptor == acceptors_.end()) return;
                          acceptor->second->accept_queued();
                          acceptors_.erase(acceptor);
                        },
                        [this](const worker::DrainRequested& request) {
                          const auto time = request.deadline.value_or(options_.drain_timeout);
                          drain("asked to drain by perch", time - kDrainMargin);
                        },
                        [this](const worker::SupervisorGone&) {
                          channel_watcher_->stop();
                          drain("perch is gone", options_.drain_timeout);
                        }},
             event);
}

Result<void> Peer::listen_on(const std::string& name, UniqueFd listener) {
  if (name == kMetricsListener) return metrics_.listen_on(std::move(listener));
  if (draining_) return {};
  auto acceptor = Acceptor::start(
      loop_, std::move(listener),
      [this](UniqueFd connection) {
        const auto served = servers_.serve(std::move(connection));
        if (!served) spdlog::warn("connection refused: {}", served.error().text());
      },
      [name](const Error& error) { spdlog::warn("listener {}: {}", name, error.text()); });
  if (!acceptor) return fail_within("listener " + name, std::move(acceptor.error()));
  acceptors_.insert_or_assign(name, std::move(*acceptor));
  return {};
}

// A peer that was ready serves its other listeners on; before, it must not seem to serve them all.
void Peer::on_deaf(Error error) {
  if (ready_) return spdlog::error("{}", error.text());
  outcome_ = std::unexpected(std::move(error));
  loop_.stop();
}

void Peer::become_ready() {
  if (ready_ || !outcome_ || acceptors_.empty()) return;
  ready_ = true;
  const auto taken = duration_cast<milliseconds>(steady_clock::now() - started_);
  tell_perch(&worker::Channel::ready);
  const Census census = store_.census();
  spdlog::info("listening: {} tasks ({} finished), {} pieces and {} found, ready in {} ms",
               census.tasks, census.finished_tasks, census.pieces, human_bytes(census.bytes),
               taken.count());
  collect();
  tell_status();
}

void Peer::collect() {
  const auto removed = store_.collect(
      options_.keep, [this](const std::string& id) { return downloads_.in_use(id); });
  for (const Candidate& task : removed) {
    spdlog::info("removed from the store: {} ({} bytes)", task.id, task.bytes);
  }
  collection_.arm(kCollectionInterval);
}

void Peer::drain(const char* why, std::chrono::nanoseconds deadline) {
  // Asked twice: whoever asks again is in a hurry.
  if (draining_) return calls_.end_all();
  spdlog::info("draining: {}", why);
  draining_ = true;
  calls_.refuse_more();
  acceptors_.clear();
  servers_.stop_serving();
  tell_perch(&worker::Channel::stopping);
  drain_deadline_.arm(deadline);
  stop_if_drained();
}

void Peer::stop_if_drained() {
  if (draining_ && calls_.empty()) loop_.stop();
}

void Peer::tell_perch(Result<void> (worker::Channel::*what)()) {
  if (!channel_) return;
  const auto told = (*channel_.*what)();
  if (!told) spdlog::warn("{}", told.error().text());
}

// What is new of it, at most.
void Peer::tell_status() {
  if (!channel_) return;
  status_.arm(kStatusInterval);
  std::string line = status_line(figures());
  if (line == told_status_) return;
  const auto told = channel_->status(line);
  if (told) told_status_ = std::move(line);
}

const Census& Peer::census() {
  const auto now = steady_clock::now();
  if (now >= next_census_) {
    census_ = store_.census();
    next_census_ = now + kCensusInterval;
  }
  return census_;
}

PeerFigures Peer::figures() const {
  const auto age =
      duration_cast<std::chrono::system_clock::duration>(steady_clock::now() - started_);
  return {.version = PERCH_VERSION,
          .traffic = downloads_.traffic(),
          .calls = calls_.count(),
          .clients = servers_.clients(),
          .process = own_process_figures(),
          .started_at = std::chrono::system_clock::now() - age};
}

}  // namespace perch::peer
