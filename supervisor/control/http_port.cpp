// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/http_port.h"

#include <utility>

#include "supervisor/control/routes.h"
#include "supervisor/control/tcp_listener.h"

namespace perch::control {
namespace {

std::string_view remedy(const Error& error) {
  switch (error.code().value()) {
    case EADDRINUSE:
      return "; another program has it: end that one, or set perch.http to another port";
    case EACCES:
      return "; ports below 1024 need CAP_NET_BIND_SERVICE: give it to perch, or use another port";
    case EADDRNOTAVAIL:
      return "; no interface here has this address: use 127.0.0.1, or :PORT for all of them";
    default:
      return "";
  }
}

HttpConnection::Answer answers_of(ControlTarget& target) {
  return [&target](const HttpRequest& request) { return answer(target, request, Right::Probe); };
}

}  // namespace

Result<std::unique_ptr<HttpPort>> HttpPort::open(Loop& loop, const config::TcpAddress& address,
                                                 ControlTarget& target, const HttpLimits& limits) {
  const std::string what = "http port " + config::tcp_address_text(address);
  auto listener = listen_on(address);
  if (!listener)
    return refuse(what + ": " + listener.error().text() + std::string(remedy(listener.error())));
  auto real = address_of(listener->get());
  if (!real) return fail_within(what, std::move(real.error()));
  std::unique_ptr<HttpPort> port(new HttpPort(std::move(*listener), std::move(*real)));
  auto http = HttpServer::create(loop, port->listener_.get(), limits,
                                 [&target](int /*socket*/) { return answers_of(target); });
  if (!http) return fail_within(what, std::move(http.error()));
  port->http_ = std::move(*http);
  return port;
}

}  // namespace perch::control
