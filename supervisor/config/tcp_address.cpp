// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/tcp_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>

namespace perch::config {
namespace {

bool is_address(int family, const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> parsed{};
  return ::inet_pton(family, host.c_str(), parsed.data()) == 1;
}

bool in_brackets(std::string_view host) { return host.starts_with('[') && host.ends_with(']'); }

}  // namespace

Parsed<TcpAddress> parse_tcp_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return std::unexpected(in_quotes(text) + " has no port; write \"127.0.0.1:9480\" or \":9480\"");
  }
  const auto port = parse_count(text.substr(colon + 1));
  if (!port || *port > UINT16_MAX) {
    return std::unexpected(in_quotes(text) + " does not end in a port; use 1 to 65535");
  }
  const std::string_view host = text.substr(0, colon);
  const bool six = in_brackets(host);
  const std::string bare(six ? host.substr(1, host.size() - 2) : host);
  if (!host.empty() && !is_address(six ? AF_INET6 : AF_INET, bare)) {
    return std::unexpected(in_quotes(host) +
                           " is no numeric address; write one such as 127.0.0.1 or [::1]");
  }
  return TcpAddress{bare, static_cast<std::uint16_t>(*port)};
}

std::string tcp_address_text(const TcpAddress& address) {
  const bool six = address.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", six ? "[" : "", address.host, six ? "]" : "", address.port);
}

}  // namespace perch::config
