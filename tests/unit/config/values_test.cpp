// SPDX-License-Identifier: Apache-2.0
// Every default, every written form, and the way back to a file.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <string>
#include <vector>

#include "problems.h"
#include "supervisor/config/blocking.h"
#include "supervisor/config/capability_names.h"
#include "supervisor/config/choices.h"
#include "supervisor/config/control_place.h"
#include "supervisor/config/nearest.h"
#include "supervisor/config/render.h"
#include "supervisor/config/units.h"

namespace perch::config {
namespace {

using namespace std::chrono_literals;
using test::kBase;
using test::valid;

// The example of the documentation, less what this build has not.
constexpr std::string_view kExample = R"(
[perch]
control = "/run/perch/control.sock"
log_level = "info"
log_format = "auto"

[listeners.api]
path = "/run/app/api.sock"
mode = "0660"
backlog = 4096
wait_for_owner = "30s"
on_exit = "keep"
peercred = "perch"

[workers.app]
command = ["/usr/bin/app", "--serve"]
listeners = ["api"]
handover = "listen-fds"
required = true
stop_signal = "SIGTERM"
stop_timeout = "25s"
forward_signals = ["SIGUSR1", "SIGUSR2", "SIGWINCH"]
user = ""
[workers.app.readiness]
by = "notify"
timeout = "90s"
[workers.app.restart]
policy = "always"
burst = 3
delay = "100ms"
factor = 2
max_delay = "5s"
jitter = 0.2
stable_after = "30s"
attempts = 0
on_give_up = "hold"
)";

// Nothing in it is a default.
constexpr std::string_view kEverything = R"(
[perch]
control = "none"
log_level = "debug"
log_format = "json"
readers = ["user:prometheus", "group:100"]
operators = ["group:adm"]
http = "[::1]:9480"
reload_on_change = true
keeper = "/run/perch/keep.sock"

[listeners."a.b"]
path = "@abstract"
mode = "0600"
user = "www-data"
group = "33"
backlog = 1
wait_for_owner = "0s"
on_exit = "unlink"
peercred = "worker"

[workers.app]
command = ["app", "say \"hi\"\n", "C:\\x", "é"]
listeners = ["a.b"]
handover = "channel"
probe_guard = false
tcp_reuse_address = true
required = false
stop_signal = "QUIT"
stop_timeout = "1h"
forward_signals = ["12"]
reload_signal = "HUP"
capture = true
capture_format = "json"
capture_rate = 100
user = "nobody"
group = "nogroup"
directory = "/srv"
umask = "0027"
environment = { A = "1", "b.c" = "" }
capabilities = ["NET_RAW", "CAP_KILL", "cap_bpf"]
rlimits = { nofile = [1024, 65536], core = 0, memlock = "64MiB", stack = "unlimited" }
on_child_oom = "restart"
pids_max = 64
cpu_weight = 10000
memory = { max = "1GiB", high = "1023MiB", recycle_at = "90%", recycle_after = "250ms" }
readiness = { by = "started", timeout = "1m" }
[workers.app.restart]
policy = "on-failure"
burst = 0
delay = "1s"
factor = 1.5
max_delay = "2m"
jitter = 0
stable_after = "250ms"
attempts = 7
on_give_up = "exit"
)";

}  // namespace

TEST_CASE("what a file leaves out has the documented default") {
  const Config config = valid(kBase);
  ListenerConfig listener;
  listener.path = "/run/app/api.sock";
  CHECK(config.listeners.at("api") == listener);
  WorkerConfig worker;
  worker.command = {"/usr/bin/app"};
  worker.listeners = {"api"};
  CHECK(config.workers.at("app") == worker);
  CHECK(config.perch.control == default_control(control_places()));
  CHECK(config.perch.control_is_default);
  CHECK(config.perch.log_level == LogLevel::Info);
  CHECK(config.perch.log_format == LogFormat::Auto);
}

TEST_CASE("the documentation's example says what is the default anyway") {
  const Config config = valid(kExample);
  CHECK(config.perch.control == "/run/perch/control.sock");
  CHECK_FALSE(config.perch.control_is_default);
  ListenerConfig listener;
  listener.path = "/run/app/api.sock";
  listener.mode = 0660;
  CHECK(config.listeners.at("api") == listener);
  WorkerConfig worker;
  worker.command = {"/usr/bin/app", "--serve"};
  worker.listeners = {"api"};
  worker.readiness.by = ReadinessBy::Notify;
  CHECK(config.workers.at("app") == worker);
}

TEST_CASE("the defaults are those of the documentation") {
  const WorkerConfig worker = valid(kBase).workers.at("app");
  CHECK(worker.handover == HandoverWay::ListenFds);
  CHECK(worker.probe_guard);
  CHECK_FALSE(worker.tcp_reuse_address);
  CHECK(worker.required);
  CHECK(worker.stop_signal == SIGTERM);
  CHECK(worker.stop_timeout == 25s);
  CHECK(worker.forward_signals == std::vector<int>{SIGUSR1, SIGUSR2, SIGWINCH});
  CHECK_FALSE(worker.reload_signal);
  CHECK_FALSE(worker.capture);
  CHECK(worker.capture_format == CaptureFormat::Raw);
  CHECK(worker.capture_rate == 0);
  CHECK(worker.capabilities.empty());
  CHECK(worker.on_child_oom == OnChildOom::Note);
  CHECK_FALSE(worker.pids_max);
  CHECK_FALSE(worker.cpu_weight);
  CHECK_FALSE(worker.memory.max);
  CHECK_FALSE(worker.memory.high);
  CHECK_FALSE(worker.memory.recycle_at);
  CHECK(worker.memory.recycle_after == 5s);
  CHECK(worker.readiness.by == ReadinessBy::Started);
  CHECK(worker.readiness.timeout == 90s);
  CHECK(worker.restart.policy == RestartWhen::Always);
  CHECK(worker.restart.burst == 3);
  CHECK(worker.restart.delay == 100ms);
  CHECK(worker.restart.factor == 2.0);
  CHECK(worker.restart.max_delay == 5s);
  CHECK(worker.restart.jitter == 0.2);
  CHECK(worker.restart.stable_after == 30s);
  CHECK(worker.restart.attempts == 0);
  CHECK(worker.restart.on_give_up == OnGiveUp::Hold);
  const ListenerConfig listener = valid(kBase).listeners.at("api");
  CHECK_FALSE(listener.mode.has_value());
  CHECK(listener.backlog == 4096);
  CHECK(listener.wait_for_owner == 30s);
  CHECK(listener.on_exit == OnExit::Keep);
  CHECK(listener.peercred == PeerCredentials::Perch);
}

TEST_CASE("every value of a file arrives") {
  const Config config = valid(kEverything);
  CHECK(config.perch.control == "");
  CHECK(config.perch.log_level == LogLevel::Debug);
  CHECK(config.perch.log_format == LogFormat::Json);
  CHECK(config.perch.readers == std::vector<std::string>{"user:prometheus", "group:100"});
  CHECK(config.perch.operators == std::vector<std::string>{"group:adm"});
  CHECK(config.perch.http == TcpAddress{"::1", 9480});
  CHECK(config.perch.reload_on_change);
  CHECK(config.perch.keeper == "/run/perch/keep.sock");
  const ListenerConfig& listener = config.listeners.at("a.b");
  CHECK(listener == ListenerConfig{"@abstract", 0600, "www-data", "33", 1, 0ms, OnExit::Unlink,
                                   PeerCredentials::Worker});
  const WorkerConfig& worker = config.workers.at("app");
  CHECK(worker.command == std::vector<std::string>{"app", "say \"hi\"\n", "C:\\x", "é"});
  CHECK(worker.handover == HandoverWay::Channel);
  CHECK_FALSE(worker.probe_guard);
  CHECK(worker.tcp_reuse_address);
  CHECK_FALSE(worker.required);
  CHECK(worker.stop_signal == SIGQUIT);
  CHECK(worker.stop_timeout == 1h);
  CHECK(worker.forward_signals == std::vector<int>{SIGUSR2});
  CHECK(worker.reload_signal == SIGHUP);
  CHECK(worker.capture);
  CHECK(worker.capture_format == CaptureFormat::Json);
  CHECK(worker.capture_rate == 100);
  CHECK(worker.user == "nobody");
  CHECK(worker.group == "nogroup");
  CHECK(worker.directory == "/srv");
  CHECK(worker.umask == 0027);
  CHECK(worker.environment == std::map<std::string, std::string>{{"A", "1"}, {"b.c", ""}});
  CHECK(worker.capabilities == std::vector<std::string>{"cap_net_raw", "cap_kill", "cap_bpf"});
  CHECK(worker.rlimits == std::vector<Rlimit>{{RLIMIT_CORE, 0, 0},
                                              {RLIMIT_MEMLOCK, 64U << 20U, 64U << 20U},
                                              {RLIMIT_NOFILE, 1024, 65536},
                                              {RLIMIT_STACK, RLIM_INFINITY, RLIM_INFINITY}});
  CHECK(worker.on_child_oom == OnChildOom::Restart);
  CHECK(worker.pids_max == 64U);
  CHECK(worker.cpu_weight == 10'000U);
  CHECK(worker.memory == MemoryConfig{1U << 30U, 1023U << 20U, Percent{90}, 250ms});
  CHECK(worker.readiness == ReadinessConfig{ReadinessBy::Started, 1min});
  CHECK(worker.restart ==
        RestartConfig{RestartWhen::OnFailure, 0, 1s, 1.5, 2min, 0.0, 250ms, 7, OnGiveUp::Exit});
}

TEST_CASE("when a worker is ready follows from its hand-over, unless the file says otherwise") {
  const std::string base(kBase);
  const auto by = [](const std::string& text) {
    return valid(text).workers.at("app").readiness.by;
  };
  CHECK(by(base + "handover = \"channel\"\n") == ReadinessBy::Notify);
  CHECK(by(base + "handover = \"stdin\"\n") == ReadinessBy::Started);
  CHECK(by(base + "handover = \"intercept\"\n") == ReadinessBy::Bound);
  CHECK(by(base + "handover = \"intercept\"\nreadiness = { by = \"notify\" }\n") ==
        ReadinessBy::Notify);
  CHECK(by(base + "handover = \"channel\"\nreadiness = { by = \"started\" }\n") ==
        ReadinessBy::Started);
}

TEST_CASE("a configuration written out and read again is the same") {
  for (const std::string_view text : {kBase, kExample, kEverything}) {
    Config config = valid(text);
    // Written out, it is no default any more.
    config.perch.control_is_default = false;
    CHECK(valid(to_toml(config)) == config);
  }
}

TEST_CASE("durations are whole numbers with a unit") {
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("10s") == 10s);
  CHECK(parse_duration("5m") == 5min);
  CHECK(parse_duration("2h") == 2h);
  CHECK(parse_duration("0s") == 0ms);
  CHECK(parse_duration("8760h") == 8760h);
  for (const char* text : {"", "s", "10", "1.5s", "-1s", "10 s", "1m30s", "10S", "+1s", "8761h"}) {
    CHECK_FALSE(parse_duration(text).has_value());
  }
  CHECK(duration_text(90s) == "90s");
  CHECK(duration_text(120s) == "2m");
  CHECK(duration_text(1500ms) == "1500ms");
  CHECK(duration_text(0ms) == "0s");
}

TEST_CASE("sizes are whole numbers with a binary unit") {
  CHECK(parse_size("0B") == 0U);
  CHECK(parse_size("3KiB") == 3072U);
  CHECK(parse_size("512MiB") == 536'870'912U);
  CHECK(parse_size("1TiB") == 1ULL << 40U);
  for (const char* text : {"", "12", "1KB", "1kib", "16777216TiB", "-1B", "1 GiB"}) {
    CHECK_FALSE(parse_size(text).has_value());
  }
  CHECK(size_text(0) == "0B");
  CHECK(size_text(3072) == "3KiB");
  CHECK(size_text((1U << 20U) + 1) == "1048577B");
  CHECK(size_text(1ULL << 40U) == "1TiB");
}

TEST_CASE("a mark of memory is a share of the limit, or a size") {
  const std::uint64_t limit = 1000;
  CHECK(parse_memory_mark("90%") == MemoryMark(Percent{90}));
  CHECK(parse_memory_mark("1MiB") == MemoryMark(std::uint64_t{1} << 20U));
  CHECK(bytes_of(Percent{90}, limit) == 900U);
  CHECK(bytes_of(Percent{33}, 199) == 65U);
  CHECK(bytes_of(Percent{100}, UINT64_MAX) == UINT64_MAX);
  CHECK_FALSE(bytes_of(Percent{90}, std::nullopt));
  CHECK(bytes_of(std::uint64_t{5}, std::nullopt) == 5U);
  for (const char* text : {"", "%", "0%", "101%", "-1%", "1.5%", "90 %", "90"}) {
    CHECK_FALSE(parse_memory_mark(text).has_value());
  }
}

TEST_CASE("modes are octal permission bits") {
  CHECK(parse_mode("0660") == mode_t{0660});
  CHECK(parse_mode("777") == mode_t{0777});
  CHECK(parse_mode("0000") == mode_t{0});
  for (const char* text : {"", "7", "0888", "1777", "4755", "0x1f", "-0660", "u+x"}) {
    CHECK_FALSE(parse_mode(text).has_value());
  }
}

TEST_CASE("signals are known by name and by number") {
  CHECK(parse_signal("SIGTERM") == SIGTERM);
  CHECK(parse_signal("TERM") == SIGTERM);
  CHECK(parse_signal("15") == SIGTERM);
  CHECK(signal_text(SIGUSR1) == "SIGUSR1");
  for (const char* text : {"", "0", "32", "40", "SIGRTMIN", "RTMAX-1", "sigterm", "SIG"}) {
    CHECK_FALSE(parse_signal(text).has_value());
  }
}

TEST_CASE("every capability is read in each of its spellings") {
  CHECK(kCapabilityNames.size() == 41);
  for (const std::string_view name : kCapabilityNames) {
    CHECK(parse_capability(name) == std::string(name));
    CHECK(parse_capability(name.substr(4)) == std::string(name));
  }
  CHECK(parse_capability("CAP_NET_RAW") == "cap_net_raw");
  CHECK(parse_capability("ALL") == "all");
}

TEST_CASE("the nearest word is found by edits and swaps, and only if it is near") {
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("comamnd", "command") == 1);
  const std::vector<std::string_view> words{"command", "listeners", "user"};
  CHECK(nearest("comand", words) == "command");
  CHECK(nearest("listener", words) == "listeners");
  CHECK(nearest("usr", words) == "user");
  CHECK_FALSE(nearest("zzz", words).has_value());
  CHECK_FALSE(nearest(std::string(10'000, 'c'), words).has_value());
}

TEST_CASE("what is quoted stays one safe line") {
  CHECK(in_quotes("a\nb\x1b[31m") == "\"a\\nb\\x1b[31m\"");
  CHECK(in_quotes(std::string(200, 'x')) == '"' + std::string(80, 'x') + "...\"");
}

TEST_CASE("workers in epoll get non-blocking listeners, all others blocking ones") {
  CHECK(blocking_of(HandoverWay::Channel) == Blocking::No);
  CHECK(blocking_of(HandoverWay::ListenFds) == Blocking::Yes);
  CHECK(blocking_of(HandoverWay::Stdin) == Blocking::Yes);
}

TEST_CASE(
    "the control socket is in /run/perch, else in the user's runtime directory, else nowhere") {
  CHECK(default_control({true, "/run/user/1"}) == "/run/perch/control.sock");
  CHECK(default_control({false, "/run/user/1"}) == "/run/user/1/perch.sock");
  CHECK(default_control({false, "relative"}) == "");
  CHECK(default_control({false, ""}) == "");
}

}  // namespace perch::config
