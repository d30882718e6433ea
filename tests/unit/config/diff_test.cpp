// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/diff.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <functional>
#include <string>
#include <vector>

namespace perch::config {
namespace {

using Names = std::vector<std::string>;

WorkerConfig worker(const std::string& program, const std::string& listener) {
  WorkerConfig made;
  made.command = {program};
  made.listeners = {listener};
  return made;
}

Config two_of_each() {
  Config config;
  config.listeners["api"].path = "/run/api.sock";
  config.listeners["admin"].path = "/run/admin.sock";
  config.workers["app"] = worker("app", "api");
  config.workers["side"] = worker("side", "admin");
  return config;
}

template <class Section>
struct Change {
  const char* field;
  std::function<void(Section&)> make;
};

Diff after(const std::function<void(Config&)>& change) {
  Config wanted = two_of_each();
  change(wanted);
  CHECK(wanted != two_of_each());
  return diff(two_of_each(), wanted);
}

const std::vector<Change<WorkerConfig>> kProcessChanges{
    {"command", [](auto& made) { made.command.push_back("-v"); }},
    {"listeners", [](auto& made) { made.listeners.clear(); }},
    {"handover", [](auto& made) { made.handover = HandoverWay::Stdin; }},
    {"probe_guard", [](auto& made) { made.probe_guard = false; }},
    {"tcp_reuse_address", [](auto& made) { made.tcp_reuse_address = true; }},
    {"capture", [](auto& made) { made.capture = true; }},
    {"user", [](auto& made) { made.user = "www"; }},
    {"group", [](auto& made) { made.group = "www"; }},
    {"directory", [](auto& made) { made.directory = "/"; }},
    {"umask", [](auto& made) { made.umask = 0; }},
    {"environment", [](auto& made) { made.environment["A"] = "1"; }},
    {"capabilities", [](auto& made) { made.capabilities = {"all"}; }},
    {"rlimits", [](auto& made) { made.rlimits = {{RLIMIT_CORE, 0, 0}}; }},
};

const std::vector<Change<WorkerConfig>> kPolicyChanges{
    {"required", [](auto& made) { made.required = false; }},
    {"stop_signal", [](auto& made) { made.stop_signal = 3; }},
    {"stop_timeout", [](auto& made) { made.stop_timeout = milliseconds(1); }},
    {"forward_signals", [](auto& made) { made.forward_signals.clear(); }},
    {"reload_signal", [](auto& made) { made.reload_signal = 1; }},
    {"capture_format", [](auto& made) { made.capture_format = CaptureFormat::Json; }},
    {"capture_rate", [](auto& made) { made.capture_rate = 9; }},
    {"on_child_oom", [](auto& made) { made.on_child_oom = OnChildOom::Restart; }},
    {"pids_max", [](auto& made) { made.pids_max = 9; }},
    {"cpu_weight", [](auto& made) { made.cpu_weight = 9; }},
    {"memory.max", [](auto& made) { made.memory.max = 1; }},
    {"memory.high", [](auto& made) { made.memory.high = 1; }},
    {"memory.recycle_at", [](auto& made) { made.memory.recycle_at = Percent{90}; }},
    {"memory.recycle_after", [](auto& made) { made.memory.recycle_after = milliseconds(1); }},
    {"readiness.by", [](auto& made) { made.readiness.by = ReadinessBy::Notify; }},
    {"readiness.timeout", [](auto& made) { made.readiness.timeout = milliseconds(1); }},
    {"restart.policy", [](auto& made) { made.restart.policy = RestartWhen::Never; }},
    {"restart.burst", [](auto& made) { made.restart.burst = 9; }},
    {"restart.delay", [](auto& made) { made.restart.delay = milliseconds(1); }},
    {"restart.factor", [](auto& made) { made.restart.factor = 3; }},
    {"restart.max_delay", [](auto& made) { made.restart.max_delay = milliseconds(1); }},
    {"restart.jitter", [](auto& made) { made.restart.jitter = 0; }},
    {"restart.stable_after", [](auto& made) { made.restart.stable_after = milliseconds(1); }},
    {"restart.attempts", [](auto& made) { made.restart.attempts = 9; }},
    {"restart.on_give_up", [](auto& made) { made.restart.on_give_up = OnGiveUp::Exit; }},
};

const std::vector<Change<ListenerConfig>> kLiveListenerChanges{
    {"mode", [](auto& listener) { listener.mode = 0600; }},
    {"user", [](auto& listener) { listener.user = "www"; }},
    {"group", [](auto& listener) { listener.group = "www"; }},
    {"backlog", [](auto& listener) { listener.backlog = 1; }},
    {"wait_for_owner", [](auto& listener) { listener.wait_for_owner = milliseconds(1); }},
    {"on_exit", [](auto& listener) { listener.on_exit = OnExit::Unlink; }},
    {"peercred", [](auto& listener) { listener.peercred = PeerCredentials::Worker; }},
};

const std::vector<Change<PerchConfig>> kPerchChanges{
    {"control", [](auto& perch) { perch.control = "/x"; }},
    {"control_is_default", [](auto& perch) { perch.control_is_default = false; }},
    {"log_level", [](auto& perch) { perch.log_level = LogLevel::Error; }},
    {"log_format", [](auto& perch) { perch.log_format = LogFormat::Text; }},
    {"readers", [](auto& perch) { perch.readers = {"user:www"}; }},
    {"operators", [](auto& perch) { perch.operators = {"group:www"}; }},
    {"http", [](auto& perch) { perch.http = {"", 80}; }},
    {"reload_on_change", [](auto& perch) { perch.reload_on_change = true; }},
    {"keeper", [](auto& perch) { perch.keeper = "/k"; }},
};

}  // namespace

TEST_CASE("nothing changed is nothing to do") { CHECK(diff(two_of_each(), two_of_each()).empty()); }

TEST_CASE("a change that the process sees restarts its worker, and no other") {
  Diff expected;
  expected.workers_restarted = {"app"};
  for (const auto& [field, make] : kProcessChanges) {
    INFO(field);
    CHECK(after([&](Config& config) { make(config.workers["app"]); }) == expected);
  }
}

TEST_CASE("a change of policy is taken over live") {
  Diff expected;
  expected.workers_adjusted = {"app"};
  for (const auto& [field, make] : kPolicyChanges) {
    INFO(field);
    CHECK(after([&](Config& config) { make(config.workers["app"]); }) == expected);
  }
}

TEST_CASE("a worker that changes in both ways is restarted, and named once") {
  Diff expected;
  expected.workers_restarted = {"app"};
  CHECK(after([](Config& config) {
          config.workers["app"].command = {"other"};
          config.workers["app"].required = false;
        }) == expected);
}

TEST_CASE("a listener changes live, except for its path") {
  Diff expected;
  expected.listeners_changed = {"api"};
  for (const auto& [field, make] : kLiveListenerChanges) {
    INFO(field);
    CHECK(after([&](Config& config) { make(config.listeners["api"]); }) == expected);
  }
}

TEST_CASE("another path restarts the workers of the listener, and no other") {
  Diff expected;
  expected.listeners_moved = {"api"};
  expected.workers_restarted = {"app"};
  CHECK(after([](Config& config) {
          config.listeners["api"].path = "/run/moved.sock";
          config.workers["app"].required = false;
        }) == expected);
}

TEST_CASE("a channel worker's listeners change while it runs") {
  const auto change_listeners = [](Config& config) {
    config.listeners["new"].path = "/run/new.sock";
    config.workers["app"].listeners = {"new"};
    config.listeners.erase("api");
    config.workers["app"].required = false;
  };
  const auto move = [](Config& config) { config.listeners["api"].path = "/run/moved.sock"; };
  Config running = two_of_each();
  running.workers["app"].handover = HandoverWay::Channel;
  for (const auto& change : {std::function<void(Config&)>(change_listeners), {move}}) {
    Config wanted = running;
    change(wanted);
    CHECK(diff(running, wanted).workers_rehanded == Names{"app"});
    CHECK(diff(running, wanted).workers_restarted.empty());
    CHECK(diff(running, wanted).workers_adjusted.empty());
    wanted.workers["app"].umask = 0;
    CHECK(diff(running, wanted).workers_restarted == Names{"app"});
    CHECK(diff(running, wanted).workers_rehanded.empty());
  }
}

TEST_CASE("an intercepting worker is restarted for new listeners, and for a mode set or unset") {
  using Make = std::function<void(Config&)>;
  Config running = two_of_each();
  running.workers["app"].handover = HandoverWay::Intercept;
  const auto restarted = [&](const Make& make) {
    Config wanted = running;
    make(wanted);
    return diff(running, wanted).workers_restarted;
  };
  CHECK(restarted([](Config& to) { to.workers["app"].listeners = {"api", "admin"}; }) ==
        Names{"app"});
  CHECK(restarted([](Config& to) { to.listeners["api"].mode = 0600; }) == Names{"app"});
  CHECK(restarted([](Config& to) { to.listeners["admin"].mode = 0600; }).empty());
  CHECK(restarted([](Config& to) { to.listeners["api"].user = "www"; }).empty());
  running.listeners["api"].mode = 0600;
  CHECK(restarted([](Config& to) { to.listeners["api"].mode = 0660; }).empty());
  CHECK(restarted([](Config& to) { to.listeners["api"].mode.reset(); }) == Names{"app"});
}

TEST_CASE("a change of perch's own values touches nothing else") {
  Diff expected;
  expected.perch_changed = true;
  for (const auto& [field, make] : kPerchChanges) {
    INFO(field);
    CHECK(after([&](Config& config) { make(config.perch); }) == expected);
  }
}

TEST_CASE("what is new is added, what is gone is removed, by name") {
  Diff expected;
  expected.listeners_added = {"new"};
  expected.listeners_removed = {"admin"};
  expected.workers_added = {"fresh"};
  expected.workers_removed = {"side"};
  CHECK(after([](Config& config) {
          config.listeners.erase("admin");
          config.listeners["new"].path = "/run/new.sock";
          config.workers.erase("side");
          config.workers["fresh"] = worker("fresh", "new");
        }) == expected);
}

TEST_CASE("what a reload did fits on one line") {
  CHECK(summary({}) == "nothing has changed");
  Diff done;
  done.perch_changed = true;
  done.listeners_added = {"api", "admin"};
  done.workers_rehanded = {"app"};
  CHECK(summary(done) ==
        "perch itself changed live; listeners claimed: api admin; "
        "workers handed other listeners: app");
}

}  // namespace perch::config
