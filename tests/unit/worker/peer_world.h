// SPDX-License-Identifier: Apache-2.0
// PeerWorld: a real origin, a listener that outlives the peer as it does under perch, and the real
// perch-peer, started over a channel as often as a test wants.
#pragma once

#include <dfdaemon.grpc.pb.h>
#include <grpcpp/channel.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/posix/fd_passing.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/worker/origin_server.h"
#include "worker/peer/store/store.h"

namespace perch::test {

// perch's end of a peer's life.
class RunningPeer {
 public:
  // Has said hello, and has no listener. `options` are those of "perch-peer serve"; `user` is whose
  // it runs as, in no group but his own, else it is root's.
  explicit RunningPeer(const std::vector<std::string>& options, std::optional<uid_t> user = {});

  [[nodiscard]] Process& process() noexcept { return process_; }
  void say(std::string_view message) const;
  // In one message; `names` have colons between them.
  void hand_over(const std::string& names, const std::vector<int>& listeners) const;
  // Waits until the peer has said it; other news is passed over.
  [[nodiscard]] bool says(std::string_view key, std::string_view value);
  // Whether it has, of what was not heard yet.
  [[nodiscard]] bool has_said(std::string_view key, std::string_view value) const;
  void kill();

 private:
  RunningPeer(std::pair<UniqueFd, UniqueFd> channel, const std::vector<std::string>& options,
              std::optional<uid_t> user);

  UniqueFd channel_;
  Process process_;
};

class PeerWorld {
 public:
  PeerWorld();

  // Returns once it is ready.
  [[nodiscard]] std::unique_ptr<RunningPeer> start_peer(
      const std::vector<std::string>& more = {}) const;
  // Another user's, with a store of his.
  [[nodiscard]] std::unique_ptr<RunningPeer> start_peer_as(uid_t user) const;
  // Its options where it has no others.
  [[nodiscard]] std::vector<std::string> peer_options() const { return {"--store", path("store")}; }
  // A channel of its own; calls on it wait for the peer.
  [[nodiscard]] std::shared_ptr<grpc::Channel> connect() const;
  [[nodiscard]] Command get(const std::string& url, const std::string& output,
                            const std::vector<std::string>& more = {}) const;
  [[nodiscard]] std::string path(const std::string& name) const { return directory_.path(name); }
  [[nodiscard]] std::string socket() const { return path("peer.sock"); }
  [[nodiscard]] int listener() const { return listener_.get(); }
  // Pieces that the store has recorded, and bytes, those of unfinished pieces too.
  [[nodiscard]] std::uint64_t stored_pieces() const { return stored().pieces; }
  [[nodiscard]] std::uint64_t stored_bytes() const { return stored().bytes; }

 private:
  [[nodiscard]] peer::Census stored() const;

  TemporaryDirectory directory_;
  UniqueFd listener_;
};

// One whole call.
struct Answer {
  grpc::Status status;
  std::optional<dfdaemon::v2::DownloadTaskStartedResponse> started;
  std::vector<common::v2::Piece> pieces;
  std::string task_id;
};
Answer download(const std::shared_ptr<grpc::Channel>& channel, const common::v2::Download& request,
                std::chrono::milliseconds patience = kPatience);

}  // namespace perch::test
