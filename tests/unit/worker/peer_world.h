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

namespace perch::test {

// perch's end of a peer's life.
class RunningPeer {
 public:
  // `options` are those of "perch-peer serve".
  RunningPeer(int listener, const std::vector<std::string>& options);

  [[nodiscard]] Process& process() noexcept { return process_; }
  void say(std::string_view message) const;
  void hand_over(const std::string& name, int listener) const;
  // Waits until the peer has said it; other news is passed over.
  [[nodiscard]] bool says(std::string_view key, std::string_view value);
  void kill();

 private:
  RunningPeer(std::pair<UniqueFd, UniqueFd> channel, const std::vector<std::string>& options);

  UniqueFd channel_;
  Process process_;
};

class PeerWorld {
 public:
  PeerWorld();

  // Returns once it is ready.
  [[nodiscard]] std::unique_ptr<RunningPeer> start_peer(
      const std::vector<std::string>& more = {}) const;
  // A channel of its own; calls on it wait for the peer.
  [[nodiscard]] std::shared_ptr<grpc::Channel> connect() const;
  [[nodiscard]] Command get(const std::string& url, const std::string& output,
                            const std::vector<std::string>& more = {}) const;
  [[nodiscard]] std::string path(const std::string& name) const { return directory_.path(name); }
  [[nodiscard]] std::string socket() const { return path("peer.sock"); }
  // Pieces that the store has recorded.
  [[nodiscard]] std::uint64_t stored_pieces() const;

 private:
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
Answer download(const std::shared_ptr<grpc::Channel>& channel, const common::v2::Download& request);

}  // namespace perch::test
