// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/http_port.h"

#include <utility>

#include "supervisor/control/routes.h"
#include "supervisor/control/tcp_listener.h"

namespace perch::control {
namespace {

std::string because(const Error& error) {
  if (!error.is(EADDRINUSE)) return "";
  return "; another program has it: end that one, or set perch.http to another port";
}

}  // namespace

Result<std::unique_ptr<HttpPort>> HttpPort::open(Loop& loop, const config::TcpAddress& address,
                                                 ControlTarget& target, const Limits& limits) {
  const std::string what = "http port " + config::tcp_address_text(address);
  auto listener = listen_on(address);
  if (!listener) return refuse(what + ": " + listener.error().text() + because(listener.error()));
  auto real = address_of(listener->get());
  if (!real) return fail_within(what, std::move(real.error()));
  std::unique_ptr<HttpPort> port(new HttpPort(std::move(*listener), std::move(*real)));
  const HttpConnection::Answer answers = [&target](const HttpRequest& request) {
    return answer(target, request, Right::Probe);
  };
  auto http = HttpServer::create(loop, port->listener_.get(), limits,
                                 [answers](int /*socket*/) { return answers; });
  if (!http) return fail_within(what, std::move(http.error()));
  port->http_ = std::move(*http);
  return port;
}

}  // namespace perch::control
