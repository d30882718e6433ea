// SPDX-License-Identifier: Apache-2.0
// What a perch and its keeper say to each other: datagrams of KEY=VALUE lines on a SOCK_SEQPACKET
// socket, one answer to each request, the next request after the answer. So neither has to queue.
//   HELLO=1, life        WELCOME=1, APART=1 where the keeper is in another container
//   FETCH=<key>          KEPT=<key after that one>, FACTS=, descriptors; END=1 after the last
//   KEEP=<key>, FACTS=, descriptors             KEPT=<key>
//   DROP=<key>           DROPPED=<key>
//   BYE=1                none: what is kept is for the next
// REFUSED=<why> answers whatever cannot be, and what is none of these, which also ends the
// connection. `life` is the reading end of a pipe whose other end perch holds until it dies. The
// connection that said HELLO owns all that is kept. Keys and facts are perch's own; they mean
// nothing to a keeper.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace perch::keeper {

inline constexpr std::size_t kMaxMessage = 4096;
inline constexpr std::size_t kMaxKey = 256;
inline constexpr std::size_t kMaxFacts = 1024;
inline constexpr std::size_t kMaxFdsOfOne = 8;
inline constexpr std::size_t kMaxDeposits = 4096;

struct Request {
  enum class What { Hello, Fetch, Keep, Drop, Bye } what;
  std::string key{};
  std::string facts{};
};

// Nothing: malformed.
std::optional<Request> parse_request(std::string_view datagram, std::size_t descriptors);

std::string hello();
std::string bye();
std::string fetch_after(std::string_view key);
std::string keep(std::string_view key, std::string_view facts);
std::string drop(std::string_view key);

std::string welcome(bool apart);
std::string kept(std::string_view key, std::string_view facts = {});
std::string dropped(std::string_view key);
std::string end();
std::string refused(std::string_view why);

}  // namespace perch::keeper
