// SPDX-License-Identifier: Apache-2.0
// Peer: the worker itself. One loop owns the channel to perch, the listeners, the downloads and the
// store; gRPC's threads speak to it through the mailbox alone. It says it is ready when the loop
// polls all the listeners that it was given at first, and ends with exit status 0 when it was asked
// to.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/loop/signal_watcher.h"
#include "worker/library/channel.h"
#include "worker/peer/metrics/metrics.h"
#include "worker/peer/metrics/metrics_page.h"
#include "worker/peer/service/acceptor.h"
#include "worker/peer/service/server_pool.h"

namespace perch::peer {

struct PeerOptions {
  std::string store;
  std::string socket;   // used where there is no perch
  std::string metrics;  // likewise; empty: none
  GcLimits keep;        // what the store holds at most
  DownloadOptions downloads;
  ServiceLimits service;
  std::chrono::milliseconds drain_timeout{20'000};
};

class Peer {
 public:
  Peer(const PeerOptions& options, Store store, std::chrono::steady_clock::time_point started);

  // Returns when the peer was asked to stop and has drained.
  Result<void> run();

 private:
  Result<void> begin();
  Result<void> watch_signals();
  Result<void> connect_to_perch();
  Result<void> listen_alone();
  void read_channel();
  void on_event(worker::Event event);
  Result<void> listen_on(const std::string& name, UniqueFd listener);
  void on_deaf(Error error);
  void become_ready();
  void drain(const char* why, std::chrono::nanoseconds deadline);
  void stop_if_drained();
  void collect();
  void tell_perch(Result<void> (worker::Channel::*what)());
  void tell_status();
  [[nodiscard]] const Census& census();
  [[nodiscard]] PeerFigures figures() const;

  PeerOptions options_;
  std::chrono::steady_clock::time_point started_;
  Loop loop_;
  Store store_;
  Downloads downloads_;
  Calls calls_;
  StoredTasks tasks_;
  Mailbox mailbox_;
  ServerPool servers_;
  MetricsPage metrics_;
  std::optional<worker::Channel> channel_;
  std::optional<FdWatcher> channel_watcher_;
  std::map<std::string, std::unique_ptr<Acceptor>> acceptors_;
  std::vector<SignalWatcher> signals_;
  Timer drain_deadline_;
  Timer collection_;
  Timer status_;
  std::string told_status_;
  Census census_;
  std::chrono::steady_clock::time_point next_census_;
  Result<void> outcome_;  // why it ends, unless it was asked to
  bool ready_ = false;
  bool draining_ = false;
};

}  // namespace perch::peer
