// SPDX-License-Identifier: Apache-2.0
// InterceptedCall: what a stopped system call asks for, the same whatever the architecture and the
// name it came by. Pure: numbers in, values out; addresses are the caller's and are read elsewhere.
#pragma once

#include <linux/seccomp.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>

namespace perch::handover {

// A socket address in the caller's memory.
struct AddressArgument {
  std::uint64_t at = 0;
  std::size_t size = 0;
  bool operator==(const AddressArgument&) const = default;
};

// A path in the caller's memory, and the descriptor or AT_FDCWD that a relative one begins at.
struct PathArgument {
  int base = 0;
  std::uint64_t at = 0;
  bool operator==(const PathArgument&) const = default;
};

namespace call {
struct Bind {
  int fd;
  AddressArgument address;
  bool operator==(const Bind&) const = default;
};
struct Connect {
  AddressArgument address;
  bool operator==(const Connect&) const = default;
};
struct Listen {
  int fd;
  bool operator==(const Listen&) const = default;
};
struct Shutdown {
  int fd;
  bool operator==(const Shutdown&) const = default;
};
// Of a file; the removal of a directory is Other.
struct Unlink {
  PathArgument path;
  bool operator==(const Unlink&) const = default;
};
struct Rename {
  PathArgument from;
  PathArgument to;
  bool operator==(const Rename&) const = default;
};
struct Chmod {
  PathArgument path;
  bool operator==(const Chmod&) const = default;
};
struct Other {
  bool operator==(const Other&) const = default;
};
}  // namespace call

using InterceptedCall = std::variant<call::Other, call::Bind, call::Connect, call::Listen,
                                     call::Shutdown, call::Unlink, call::Rename, call::Chmod>;

// Of x86_64, i386 and aarch64.
InterceptedCall decode(const seccomp_data& data);

// For people: "bind".
const char* name(const InterceptedCall& call);

// i386's socketcall(2) has its arguments in memory, 32 bits each.
struct StoredArguments {
  std::uint64_t at = 0;
  std::size_t count = 0;
  bool operator==(const StoredArguments&) const = default;
};
inline constexpr std::size_t kMaxStoredArguments = 3;
std::optional<StoredArguments> stored_arguments(const seccomp_data& data);
// The direct call that stands for a socketcall with these arguments.
seccomp_data direct_call(seccomp_data data, std::span<const std::uint32_t> stored);

}  // namespace perch::handover
