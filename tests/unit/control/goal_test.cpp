// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/goal.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace perch::cli {
namespace {

using Kind = Verdict::Kind;

// Generation 3 is asked for; the last event before was number 10.
Goal goal(Request request, const std::string& state) {
  return {.request = request, .worker = "app", .since = 10, .generation = 3, .state = state};
}

// What happened, in order, from number 11 on.
struct Happening {
  std::string type;
  std::uint64_t generation = 3;
  std::string what{};  // the state it is in now, or the cause
  std::string worker = "app";
};

News news(std::uint64_t id, const Happening& happened) {
  const bool death = happened.type == "worker-death";
  return {.id = id,
          .type = happened.type,
          .worker = happened.worker,
          .generation = happened.generation,
          .to = death ? "" : happened.what,
          .cause = death ? happened.what : "",
          .detail = death ? "exit status 9" : ""};
}

// The first verdict that is no waiting.
Verdict after(const Goal& goal, const std::vector<Happening>& happenings, std::uint64_t id = 11) {
  for (const Happening& happened : happenings) {
    if (auto verdict = judge(goal, news(id++, happened)); verdict.kind != Kind::Waiting) {
      return verdict;
    }
  }
  return {};
}

Happening state(const std::string& to, std::uint64_t generation = 3) {
  return {.type = "worker-state", .generation = generation, .what = to};
}
Happening death(const std::string& cause, std::uint64_t generation) {
  return {.type = "worker-death", .generation = generation, .what = cause};
}

}  // namespace

TEST_CASE("a restart is done when a newer generation is ready") {
  const Goal restart = goal(Request::Restart, "stopping");
  CHECK(judge(restart).kind == Kind::Waiting);
  CHECK(after(restart, {state("stopping"), death("requested", 3), state("starting")}) == Verdict{});
  CHECK(after(restart, {state("stopping"), death("requested", 3), state("starting"),
                        state("ready", 4)}) == Verdict{Kind::Reached, "generation 4 is ready"});
}

TEST_CASE("the end of the generation that makes room is no failure, whatever its cause") {
  for (const char* cause : {"requested", "oom-kill", "signal"}) {
    CHECK(after(goal(Request::Restart, "draining"), {death(cause, 3)}) == Verdict{});
    CHECK(after(goal(Request::Start, "stopping"), {death(cause, 3)}) == Verdict{});
  }
}

TEST_CASE("the death of the new generation is a failure that names its cause") {
  const Verdict failed{Kind::Failed, "generation 4 ended: exit: exit status 9"};
  CHECK(after(goal(Request::Restart, "starting"), {state("starting"), death("exit", 4)}) == failed);
  CHECK(after(goal(Request::Start, "starting"), {death("exit", 4)}) == failed);
}

TEST_CASE("a start that was under way is the one that counts") {
  const Goal start = goal(Request::Start, "starting");
  CHECK(after(start, {state("ready", 3)}).kind == Kind::Reached);
  CHECK(after(start, {death("exit", 3)}).kind == Kind::Failed);
}

TEST_CASE("backing off, giving up, being stopped and going away are failures to run") {
  for (const Request request : {Request::Restart, Request::Start}) {
    const Goal running = goal(request, "starting");
    CHECK(after(running, {state("backoff")}) == Verdict{Kind::Failed, "it backs off"});
    CHECK(after(running, {state("failed")}) == Verdict{Kind::Failed, "perch has given up on it"});
    CHECK(after(running, {state("idle")}) == Verdict{Kind::Failed, "it was stopped"});
    CHECK(after(running, {{.type = "worker-removed"}}).kind == Kind::Failed);
    CHECK(after(running, {{.type = "perch-stopping", .generation = 0, .worker = ""}}).kind ==
          Kind::Failed);
  }
}

TEST_CASE("old news and other workers' count for nothing") {
  const Goal restart = goal(Request::Restart, "starting");
  CHECK(after(restart, {state("ready", 4)}, 10) == Verdict{});
  CHECK(after(restart, {state("backoff")}, 9) == Verdict{});
  CHECK(after(restart, {state("ready", 3)}) == Verdict{});
  CHECK(after(restart, {{.type = "worker-death", .generation = 4, .worker = "other"}}) ==
        Verdict{});
}

TEST_CASE("a stop is done when nothing runs, however it ended") {
  const Goal stop = goal(Request::Stop, "stopping");
  CHECK(judge(stop).kind == Kind::Waiting);
  CHECK(after(stop, {death("signal", 3), state("idle")}) == Verdict{Kind::Reached, "stopped"});
  CHECK(after(stop, {{.type = "perch-stopping", .worker = ""}, state("idle")}).kind ==
        Kind::Reached);
  CHECK(after(stop, {state("starting")}).kind == Kind::Failed);
}

TEST_CASE("perch's answer may already say that it is done") {
  CHECK(judge(goal(Request::Start, "ready")).kind == Kind::Reached);
  CHECK(judge(goal(Request::Stop, "idle")).kind == Kind::Reached);
  // The old one is still ready when a restart begins.
  CHECK(judge(goal(Request::Restart, "ready")).kind == Kind::Waiting);
}

}  // namespace perch::cli
