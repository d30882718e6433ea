// SPDX-License-Identifier: Apache-2.0
// What tests of the peer's service share: connections that speak HTTP/2 by hand, as no library
// would, and directories of two users.
#pragma once

#include <string>
#include <string_view>

#include "tests/unit/worker/peer_world.h"

namespace perch::test {

constexpr uid_t kOther = 12345;

// Lets other users connect to the world's socket.
void open_to_all(const PeerWorld& world);

// An HTTP/2 frame.
std::string h2_frame(char type, char flags, std::uint32_t stream, std::string_view payload);
// A client's first words; it has no limit for what it is sent.
std::string h2_greeting();
// A whole request on that stream, with that grpc-timeout.
std::string h2_call(std::uint32_t stream, std::string_view method,
                    const google::protobuf::Message& message, std::string_view timeout = "1H");
std::string h2_download(std::uint32_t stream, const common::v2::Download& download,
                        std::string_view timeout = "1H");

// A connection to the peer with nothing on it yet.
class RawClient {
 public:
  explicit RawClient(const PeerWorld& world);
  // What could not be sent is left out: the peer may be gone, or not read.
  void send(std::string_view bytes) const;
  // All that comes until the peer closes the connection; nullopt when it does not in time.
  [[nodiscard]] std::optional<std::string> read_to_end() const;
  void close() { socket_.reset(); }

 private:
  UniqueFd socket_;
};

// The status that health checks get: the peer is alive.
bool serves(const PeerWorld& world);

}  // namespace perch::test
