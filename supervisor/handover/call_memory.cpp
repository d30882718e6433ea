// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/call_memory.h"

#include <array>
#include <span>

namespace perch::handover {

Result<seccomp_data> read_arguments(TargetProcess& process, const seccomp_data& data) {
  const auto where = stored_arguments(data);
  if (!where) return data;
  std::array<std::uint32_t, kMaxStoredArguments> stored{};
  const auto used = std::span(stored).first(where->count);
  if (auto got = process.read(where->at, std::as_writable_bytes(used)); !got) {
    return std::unexpected(std::move(got.error()));
  }
  return direct_call(data, used);
}

Result<SocketName> read_name(TargetProcess& process, const AddressArgument& address) {
  std::array<std::byte, kMaxAddress> bytes{};
  if (address.size > bytes.size()) return OtherName{};  // EINVAL from the kernel
  const auto used = std::span(bytes).first(address.size);
  if (auto got = process.read(address.at, used); !got) {
    return std::unexpected(std::move(got.error()));
  }
  return parse_socket_name(used);
}

}  // namespace perch::handover
