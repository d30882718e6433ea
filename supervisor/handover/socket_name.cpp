// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/socket_name.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string_view>

namespace perch::handover {
namespace {

constexpr std::size_t kNameOffset = offsetof(sockaddr_un, sun_path);

SocketName parse_unix_name(std::string_view name) {
  if (name.empty() || name.size() > sizeof(sockaddr_un::sun_path)) return OtherName{};
  if (name.front() == '\0') return AbstractName{std::string(name.substr(1))};
  return PathName{std::string(name.substr(0, name.find('\0')))};
}

}  // namespace

SocketName parse_socket_name(std::span<const std::byte> address) {
  sa_family_t family = AF_UNSPEC;
  if (address.size() < sizeof family) return OtherName{};
  std::memcpy(&family, address.data(), sizeof family);
  if (family == AF_INET || family == AF_INET6) return InternetName{};
  if (family != AF_UNIX) return OtherName{};
  const auto name = address.subspan(kNameOffset);
  return parse_unix_name({reinterpret_cast<const char*>(name.data()), name.size()});  // NOLINT
}

}  // namespace perch::handover
