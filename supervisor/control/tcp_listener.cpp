// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/tcp_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace perch::control {
namespace {

constexpr int kBacklog = 128;

struct SocketAddress {
  sockaddr_storage raw{};
  socklen_t size = 0;
  [[nodiscard]] sockaddr* get() noexcept {
    return reinterpret_cast<sockaddr*>(&raw);  // NOLINT: the sockets API's own cast
  }
};

template <class Raw>
SocketAddress stored(const Raw& raw) {
  SocketAddress address{.size = sizeof raw};
  std::memcpy(&address.raw, &raw, sizeof raw);
  return address;
}

Result<SocketAddress> socket_address(const std::string& host, std::uint16_t port) {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(port);
  if (::inet_pton(AF_INET, host.c_str(), &four.sin_addr) == 1) return stored(four);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(port);
  if (::inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) == 1) return stored(six);
  return fail("'" + host + "' is no numeric address", EINVAL);
}

enum class Families { One, Both };

Result<UniqueFd> listen_at(SocketAddress address, Families families) {
  UniqueFd socket(::socket(address.raw.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return fail("socket");
  // Connections of a perch that has just ended do not keep the port.
  const int on = 1;
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
    return fail("setsockopt SO_REUSEADDR");
  }
  const int one_family = families == Families::One ? 1 : 0;
  if (address.raw.ss_family == AF_INET6 &&
      ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one_family, sizeof one_family) != 0) {
    return fail("setsockopt IPV6_V6ONLY");
  }
  if (::bind(socket.get(), address.get(), address.size) != 0) return fail("bind");
  if (::listen(socket.get(), kBacklog) != 0) return fail("listen");
  return socket;
}

Result<UniqueFd> listen_at(const std::string& host, std::uint16_t port, Families families) {
  auto address = socket_address(host, port);
  if (!address) return std::unexpected(std::move(address.error()));
  return listen_at(*address, families);
}

}  // namespace

Result<UniqueFd> listen_on(const config::TcpAddress& address) {
  if (!address.host.empty()) return listen_at(address.host, address.port, Families::One);
  auto both = listen_at("::", address.port, Families::Both);
  // A kernel without IPv6, or one that has it switched off.
  const bool no_six = !both && (both.error().is(EAFNOSUPPORT) || both.error().is(EADDRNOTAVAIL));
  return no_six ? listen_at("0.0.0.0", address.port, Families::One) : std::move(both);
}

Result<config::TcpAddress> address_of(int listener) {
  SocketAddress address{.size = sizeof address.raw};
  if (::getsockname(listener, address.get(), &address.size) != 0) return fail("getsockname");
  const bool six = address.raw.ss_family == AF_INET6;
  sockaddr_in6 of_six{};
  sockaddr_in of_four{};
  std::memcpy(&of_six, &address.raw, sizeof of_six);
  std::memcpy(&of_four, &address.raw, sizeof of_four);
  std::array<char, INET6_ADDRSTRLEN> host{};
  const void* const bytes = six ? static_cast<const void*>(&of_six.sin6_addr) : &of_four.sin_addr;
  if (::inet_ntop(address.raw.ss_family, bytes, host.data(), host.size()) == nullptr) {
    return fail("inet_ntop");
  }
  return config::TcpAddress{host.data(), ntohs(six ? of_six.sin6_port : of_four.sin_port)};
}

}  // namespace perch::control
