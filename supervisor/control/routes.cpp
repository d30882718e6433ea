// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/routes.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "supervisor/control/exposition.h"
#include "supervisor/control/metrics.h"

namespace perch::control {
namespace {

using nlohmann::ordered_json;

HttpReply json_reply(unsigned status, const ordered_json& body) {
  return {.status = status,
          .body = body.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n",
          .allow = {}};
}

HttpReply plain_ok() { return {.content_type = "text/plain", .body = "ok\n", .allow = {}}; }

HttpReply status(ControlTarget& target) {
  return {.body = to_json(target.status()) + "\n", .allow = {}};
}

HttpReply metrics(ControlTarget& target) {
  return {.content_type = std::string(Exposition::kContentType),
          .body = to_metrics(target.status()),
          .allow = {}};
}

// For perch's loop alone: a kubelet that restarts perch because a worker is down undoes the point.
HttpReply livez(ControlTarget&) { return plain_ok(); }

HttpReply readyz(ControlTarget& target) {
  const auto names = target.not_ready();
  if (names.empty()) return plain_ok();
  std::string text = "not ready:";
  for (const auto& name : names) text.append(" ").append(name);
  return json_reply(503, {{"error", text}, {"not_ready", names}});
}

HttpReply reload(ControlTarget& target) {
  if (const auto done = target.reload(); !done) return refusal(422, done.error().text());
  return json_reply(200, {{"reloaded", true}});
}

struct Route {
  std::string_view path;
  std::string_view method;
  HttpReply (*handle)(ControlTarget&);
};

constexpr std::array kRoutes{
    Route{"/v1/status", "GET", status},  Route{"/metrics", "GET", metrics},
    Route{"/livez", "GET", livez},       Route{"/readyz", "GET", readyz},
    Route{"/v1/reload", "POST", reload},
};

HttpReply method_not_allowed(const Route& route) {
  auto reply = refusal(405, std::string(route.path) + " takes " + std::string(route.method));
  reply.allow = route.method == "GET" ? "GET, HEAD" : route.method;
  return reply;
}

}  // namespace

HttpReply answer(ControlTarget& target, const HttpRequest& request) {
  const auto* const route = std::ranges::find(kRoutes, request.target, &Route::path);
  if (route == kRoutes.end()) return refusal(404, "there is nothing at " + request.target);
  const bool allowed =
      request.method == route->method || (request.method == "HEAD" && route->method == "GET");
  return allowed ? route->handle(target) : method_not_allowed(*route);
}

}  // namespace perch::control
