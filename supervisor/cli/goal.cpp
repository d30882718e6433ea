// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/goal.h"

#include <fmt/format.h>

namespace perch::cli {
namespace {

Verdict reached(std::string why) { return {Verdict::Kind::Reached, std::move(why)}; }
Verdict failed(std::string why) { return {Verdict::Kind::Failed, std::move(why)}; }

// The generation that is to serve, and not the one that was to make room for it.
bool is_wanted(const Goal& goal, std::uint64_t generation) {
  const bool was_starting = goal.request == Request::Start && goal.state == "starting";
  return generation > goal.generation || was_starting;
}

Verdict judge_stop(const News& news) {
  if (news.to == "idle") return reached("stopped");
  if (news.to == "starting") return failed("it was started again");
  return {};
}

Verdict judge_state(const Goal& goal, const News& news) {
  if (goal.request == Request::Stop) return judge_stop(news);
  if (news.to == "ready" && is_wanted(goal, news.generation)) {
    return reached(fmt::format("generation {} is ready", news.generation));
  }
  if (news.to == "backoff") return failed("it backs off");
  if (news.to == "failed") return failed("perch has given up on it");
  if (news.to == "idle") return failed("it was stopped");
  return {};
}

Verdict judge_death(const Goal& goal, const News& news) {
  if (goal.request == Request::Stop || !is_wanted(goal, news.generation)) return {};
  return failed(
      fmt::format("generation {} ended: {}: {}", news.generation, news.cause, news.detail));
}

}  // namespace

std::string_view name(Request request) {
  switch (request) {
    case Request::Restart:
      return "restart";
    case Request::Stop:
      return "stop";
    case Request::Start:
      return "start";
  }
  return "unknown";
}

Verdict judge(const Goal& goal) {
  if (goal.request == Request::Start && goal.state == "ready") return reached("ready");
  if (goal.request == Request::Stop && goal.state == "idle") return reached("stopped");
  return {};
}

Verdict judge(const Goal& goal, const News& news) {
  if (news.id <= goal.since) return {};
  const bool runs = goal.request != Request::Stop;
  if (news.type == "perch-stopping" && runs) return failed("perch is ending");
  if (news.worker != goal.worker) return {};
  if (news.type == "worker-state") return judge_state(goal, news);
  if (news.type == "worker-death") return judge_death(goal, news);
  if (news.type == "worker-removed" && runs) return failed("a reload has removed it");
  return {};
}

}  // namespace perch::cli
