// SPDX-License-Identifier: Apache-2.0
// TcpAddress: where a TCP port listens, numeric: a supervisor that is PID 1 looks up no names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "supervisor/config/units.h"

namespace perch::config {

struct TcpAddress {
  std::string host;        // IPv4 or IPv6 without brackets; empty: every address of the machine
  std::uint16_t port = 0;  // zero: any free one
  bool operator==(const TcpAddress&) const = default;
};

// "127.0.0.1:9480", "[::1]:9480" or ":9480".
Parsed<TcpAddress> parse_tcp_address(std::string_view text);
std::string tcp_address_text(const TcpAddress& address);

}  // namespace perch::config
