// SPDX-License-Identifier: Apache-2.0
// SocketName: which kind of address a program gave to bind or connect, and the name in it, read as
// the kernel reads it (unix(7)). Pure.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <variant>

namespace perch::handover {

// The kernel's limit on any address (sizeof(sockaddr_storage)).
inline constexpr std::size_t kMaxAddress = 128;

struct PathName {
  std::string path;  // not empty; relative to the caller's working directory
  bool operator==(const PathName&) const = default;
};
struct AbstractName {
  std::string bytes;  // what follows the NUL, NULs included
  bool operator==(const AbstractName&) const = default;
};
struct InternetName {
  bool operator==(const InternetName&) const = default;
};
struct OtherName {
  bool operator==(const OtherName&) const = default;
};
using SocketName = std::variant<OtherName, PathName, AbstractName, InternetName>;

SocketName parse_socket_name(std::span<const std::byte> address);

}  // namespace perch::handover
