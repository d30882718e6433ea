// SPDX-License-Identifier: Apache-2.0
// DownloadOptions: what the operator says of all downloads.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace perch::peer {

struct DownloadOptions {
  std::size_t connections_per_task = 4;
  std::size_t connections_in_all = 16;
  std::uint64_t rate_per_task = 0;  // bytes a second; 0: no limit
  std::uint64_t rate_in_all = 0;
  // A connection that brings less for so long is given up, and its rest asked for again. What the
  // rates above leave to one connection does not count as slow.
  std::uint64_t slow_rate = 1024;  // bytes a second
  std::chrono::seconds slow_time{30};
  // An HTTP proxy that all requests go through, as a Dragonfly peer has one; empty: none.
  std::string upstream_proxy = {};
  // The authorities that https origins are checked with; empty: the system's.
  std::string ca_file = {};
};

}  // namespace perch::peer
