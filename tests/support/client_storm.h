// SPDX-License-Identifier: Apache-2.0
// ClientStorm: threads that connect to one path without pause, send a request, wait for the reply
// and count what happened. The counts are complete once stop() returned.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace perch::test {

struct StormCounts {
  std::uint64_t connects = 0;  // tries
  std::uint64_t served = 0;    // got a reply
  std::uint64_t refused = 0;   // ECONNREFUSED
  std::uint64_t missing = 0;   // ENOENT, of connect, of stat just before it, or of both
  std::uint64_t full = 0;      // EAGAIN
  std::uint64_t other = 0;     // any other errno of connect
  std::uint64_t lost = 0;      // accepted, then end of file or reset: died with the worker
  std::set<ino_t> inodes;      // of the socket file
  void add(const StormCounts& other_counts);
};

class ClientStorm {
 public:
  struct Target {
    std::string path;
    std::string request = "ping\n";
    std::string answer{};  // what a reply begins with; another one counts as lost
  };
  explicit ClientStorm(const Target& target, unsigned clients = 4);
  ~ClientStorm();
  ClientStorm(const ClientStorm&) = delete;
  ClientStorm& operator=(const ClientStorm&) = delete;

  [[nodiscard]] std::uint64_t served() const noexcept { return served_; }
  // Connects that failed, whatever the reason.
  [[nodiscard]] std::uint64_t turned_away() const noexcept { return turned_away_; }
  StormCounts stop();

 private:
  void run(StormCounts& counts);

  Target target_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> served_ = 0;
  std::atomic<std::uint64_t> turned_away_ = 0;
  std::vector<StormCounts> counts_;
  std::vector<std::thread> threads_;
};

}  // namespace perch::test
