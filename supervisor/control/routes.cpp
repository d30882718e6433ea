// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/routes.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "common/http/exposition.h"
#include "supervisor/control/event_stream.h"
#include "supervisor/control/metrics.h"
#include "supervisor/control/query.h"

namespace perch::control {
namespace {

using nlohmann::ordered_json;

// One request, as far as its route is concerned.
struct Asked {
  ControlTarget& target;
  std::string worker;  // what stands at "{name}" in the path
  Query query;
};

HttpReply json_reply(unsigned status, const ordered_json& body) {
  return {.status = status,
          .body = body.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n"};
}

HttpReply plain_ok() { return {.content_type = "text/plain", .body = "ok\n"}; }

HttpReply status(const Asked& asked) { return {.body = to_json(asked.target.status()) + "\n"}; }

HttpReply metrics(const Asked& asked) {
  return {.content_type = std::string(Exposition::kContentType),
          .body = to_metrics(asked.target.status())};
}

// For perch's loop alone: a kubelet that restarts perch because a worker is down undoes the point.
HttpReply livez(const Asked& /*asked*/) { return plain_ok(); }

HttpReply readyz(const Asked& asked) {
  const auto names = asked.target.not_ready();
  if (names.empty()) return plain_ok();
  std::string text = "not ready:";
  for (const auto& name : names) text.append(" ").append(name);
  return json_reply(503, {{"error", text}, {"not_ready", names}});
}

HttpReply events(const Asked& asked) {
  constexpr auto kAnyId = std::numeric_limits<std::uint64_t>::max();
  constexpr std::string_view kLines = "application/x-ndjson";
  EventLog& log = asked.target.events();
  const auto since = asked.query.number("since", kAnyId);
  if (!since) return refusal(400, since.error());
  const auto follow = asked.query.number("follow", 1);
  if (!follow) return refusal(400, follow.error());
  if (*since > log.last_id()) {
    return refusal(410, "there is no event " + std::to_string(*since) + " yet, the last one is " +
                            std::to_string(log.last_id()) +
                            "; if you had it from an earlier perch, ask without since");
  }
  if (*follow == 0) {
    return {.content_type = std::string(kLines), .body = event_lines(log, *since)};
  }
  if (log.followers() >= kMaxFollowers) return refusal(503, "too many follow the events already");
  return {.content_type = std::string(kLines),
          .stream = std::make_unique<EventStream>(log, *since)};
}

HttpReply config(const Asked& asked) {
  return {.content_type = "application/toml", .body = asked.target.config_file()};
}

HttpReply reload(const Asked& asked) {
  if (const auto done = asked.target.reload(); !done) return refusal(422, done.error().text());
  return json_reply(200, {{"reloaded", true}});
}

HttpReply act(const Asked& asked, WorkerAction action, std::string_view name) {
  const auto begun = asked.target.act(asked.worker, action);
  if (begun) {
    return json_reply(202, {{"worker", asked.worker},
                            {"action", name},
                            {"since", begun->since},
                            {"generation", begun->generation},
                            {"state", begun->state}});
  }
  const bool unknown = begun.error().why == ActionRefused::Why::UnknownWorker;
  return refusal(unknown ? 404 : 409, begun.error().text);
}

HttpReply restart(const Asked& asked) { return act(asked, WorkerAction::Restart, "restart"); }
HttpReply stop(const Asked& asked) { return act(asked, WorkerAction::Stop, "stop"); }
HttpReply start(const Asked& asked) { return act(asked, WorkerAction::Start, "start"); }

constexpr std::array<std::string_view, 2> kOfEvents{"since", "follow"};

struct Route {
  std::string_view method;
  std::string_view path;  // "{name}" stands for any one segment
  Right right;
  HttpReply (*handle)(const Asked&);
  std::span<const std::string_view> parameters{};
};

constexpr std::array kRoutes{
    Route{"GET", "/livez", Right::Probe, livez},
    Route{"GET", "/readyz", Right::Probe, readyz},
    Route{"GET", "/metrics", Right::Probe, metrics},
    Route{"GET", "/v1/status", Right::Read, status},
    Route{"GET", "/v1/events", Right::Read, events, kOfEvents},
    Route{"GET", "/v1/config", Right::Operate, config},
    Route{"POST", "/v1/reload", Right::Operate, reload},
    Route{"POST", "/v1/workers/{name}/restart", Right::Operate, restart},
    Route{"POST", "/v1/workers/{name}/stop", Right::Operate, stop},
    Route{"POST", "/v1/workers/{name}/start", Right::Operate, start},
};

// The segment at "{name}", empty where the path has none; nothing for another path.
std::optional<std::string_view> match(std::string_view pattern, std::string_view path) {
  constexpr std::string_view kName = "{name}";
  const auto at = pattern.find(kName);
  if (at == std::string_view::npos) return pattern == path ? std::optional("") : std::nullopt;
  const auto before = pattern.substr(0, at);
  const auto after = pattern.substr(at + kName.size());
  if (!path.starts_with(before)) return std::nullopt;
  path.remove_prefix(before.size());
  if (!path.ends_with(after)) return std::nullopt;
  path.remove_suffix(after.size());
  const bool one_segment = !path.empty() && path.find('/') == std::string_view::npos;
  return one_segment ? std::optional(path) : std::nullopt;
}

bool exists_for(Right right, const Route& route) {
  return right != Right::Probe || route.right == Right::Probe;
}

std::string named(const Route& route) {
  return std::string(route.method) + " " + std::string(route.path);
}

HttpReply not_found(const HttpRequest& request, Right right) {
  std::string text = "there is nothing at " + request.target + "; there is ";
  std::string_view separator;
  for (const Route& route : kRoutes) {
    if (!exists_for(right, route)) continue;
    text.append(separator).append(named(route));
    separator = ", ";
  }
  return refusal(404, text);
}

// Who is here may look, at least.
HttpReply forbidden(const Route& route) {
  return refusal(403, named(route) +
                          " is for operators: perch.operators has neither \"user:NAME\" nor "
                          "\"group:NAME\" for you");
}

HttpReply method_not_allowed(const Route& route) {
  auto reply = refusal(405, std::string(route.path) + " takes " + std::string(route.method));
  reply.allow = route.method == "GET" ? "GET, HEAD" : route.method;
  return reply;
}

bool takes(const Route& route, std::string_view method) {
  return method == route.method || (method == "HEAD" && route.method == "GET");
}

}  // namespace

HttpReply answer(ControlTarget& target, const HttpRequest& request, Right right) {
  for (const Route& route : kRoutes) {
    const auto worker = match(route.path, request.target);
    if (!worker || !exists_for(right, route)) continue;
    if (right < route.right) return forbidden(route);
    if (!takes(route, request.method)) return method_not_allowed(route);
    auto query = Query::parse(request.query, route.parameters);
    if (!query) return refusal(400, query.error());
    return route.handle({target, std::string(*worker), std::move(*query)});
  }
  return not_found(request, right);
}

}  // namespace perch::control
