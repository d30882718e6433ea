// SPDX-License-Identifier: Apache-2.0
// The client commands against a running perch: what they wait for, what they print, and the codes
// they end with.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <sstream>

#include "tests/support/perch_process.h"
#include "tests/support/pseudo_terminal.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

using nlohmann::json;

constexpr int kUsage = 2;
constexpr int kUnreachable = 6;
constexpr int kNotDone = 7;

// perch with worker "app" on api.sock, and who asks it.
class Operated {
 public:
  explicit Operated(const AppConfig& wanted = {}) : Operated(wanted, "") {}
  Operated(const AppConfig& wanted, const std::string& more)
      : perch_(directory_, app_config(directory_, wanted) + more) {
    // Ready is what perch started; what it does with a signal is known once it serves.
    REQUIRE(wait_until([this] { return perch::test::ask(api(), "ping").has_value(); }));
  }

  [[nodiscard]] std::vector<std::string> command(const std::vector<std::string>& words) const {
    std::vector<std::string> command{perch_binary()};
    command.insert(command.end(), words.begin(), words.end());
    command.insert(command.end(), {"--control", directory_.path("perch.sock")});
    return command;
  }
  [[nodiscard]] Finished tell(const std::vector<std::string>& words) const {
    return run({.argv = command(words)});
  }
  [[nodiscard]] std::string api() const { return directory_.path("api.sock"); }
  [[nodiscard]] std::uint64_t generation() const {
    return perch_.worker()["instances"][0]["generation"].get<std::uint64_t>();
  }
  const TemporaryDirectory& directory() const { return directory_; }
  PerchProcess& perch() { return perch_; }

 private:
  TemporaryDirectory directory_;
  PerchProcess perch_;
};

std::string second_worker(const TemporaryDirectory& directory) {
  return fmt::format(
      "[listeners.other]\npath = \"{}\"\n[workers.other]\ncommand = {}\n"
      "listeners = [\"other\"]\n",
      directory.path("other.sock"), worker_command("listen-fds"));
}

// A worker that is ready when it says so, and ends at once while `flag` exists.
std::string moody_worker(const TemporaryDirectory& directory) {
  constexpr std::string_view kText = R"([listeners.api]
path = "{0}"
[workers.app]
command = ["/bin/sh", "-c", "test ! -e {1} || exit 3; exec {2} --by channel"]
listeners = ["api"]
handover = "channel"
)";
  return fmt::format(kText, directory.path("api.sock"), directory.path("flag"),
                     from_build("PERCH_TEST_WORKER"));
}

std::vector<json> events_in(const std::string& lines) {
  std::vector<json> events;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);) {
    if (!stream.eof()) events.push_back(json::parse(line));  // else it is half a line yet
  }
  return events;
}

bool has_event(const std::string& lines, const std::string& type) {
  return std::ranges::any_of(events_in(lines),
                             [&](const json& event) { return event["type"] == type; });
}

}  // namespace

TEST_CASE("restart waits for the new generation and says what happens") {
  const Operated operated;
  const auto before = ask(operated.api(), "ping");
  const Finished restarted = operated.tell({"restart"});
  CAPTURE(restarted.err);
  CHECK(restarted.ending == exited(0));
  CHECK(restarted.out.contains("worker app: ready -> stopping (restart requested)\n"));
  CHECK(restarted.out.contains("worker app: generation 1 ended: requested"));
  CHECK(restarted.out.ends_with("worker app: generation 2 is ready\n"));
  CHECK(operated.generation() == 2);
  CHECK(ask(operated.api(), "ping")->pid != before->pid);
}

TEST_CASE("stop keeps clients waiting, and start serves them") {
  Operated operated;
  const Finished stopped = operated.tell({"stop", "app"});
  CHECK(stopped.ending == exited(0));
  CHECK(stopped.out.ends_with("worker app: stopped\n"));
  CHECK(operated.perch().worker()["state"] == "idle");
  Client waiting(operated.api());
  CHECK(waiting.error() == 0);
  REQUIRE(waiting.send("ping\n"));
  CHECK(operated.tell({"stop"}).ending == exited(0));
  const Finished started = operated.tell({"start"});
  CHECK(started.ending == exited(0));
  const auto reply = waiting.line();
  REQUIRE(reply);
  CHECK(parse_reply(*reply)->generation == 2);
}

TEST_CASE("a worker that dies again after a restart is named with its cause") {
  const TemporaryDirectory directory;
  PerchProcess perch(directory, moody_worker(directory));
  REQUIRE(perch.wait_ready());
  write_text(directory.path("flag"), "");
  const Finished failed = run_perch({"restart", "app", "--control", directory.path("perch.sock")});
  CHECK(failed.ending == exited(kNotDone));
  CHECK(failed.err ==
        "perch: restart of worker app: generation 2 ended: exit: exit status 3; see "
        "perch status app\n");
}

TEST_CASE("a worker that backs off can be restarted without mistaking old news for new") {
  const TemporaryDirectory directory;
  PerchProcess perch(directory, moody_worker(directory) +
                                    "[workers.app.restart]\nburst = 0\ndelay = \"1h\"\n"
                                    "max_delay = \"1h\"\n");
  REQUIRE(perch.wait_ready());
  write_text(directory.path("flag"), "");
  CHECK_FALSE(ask(directory.path("api.sock"), "exit 1"));
  REQUIRE(perch.wait_state("backoff"));
  const std::vector<std::string> restart{"restart", "--control", directory.path("perch.sock")};
  CHECK(run_perch(restart).ending == exited(kNotDone));
  std::filesystem::remove(directory.path("flag"));
  CHECK(run_perch(restart).ending == exited(0));
  CHECK(perch.worker()["state"] == "ready");
}

TEST_CASE("nothing waits for longer than it was told to") {
  Operated operated({.arguments = {"--ignore-term"}, .worker = "stop_timeout = \"1h\""});
  const Finished late = operated.tell({"restart", "--timeout", "50ms"});
  CHECK(late.ending == exited(kNotDone));
  CHECK(late.err ==
        "perch: restart of worker app: not done in time, it goes on; see perch status app\n");
  const Finished at_once = operated.tell({"stop", "--no-wait"});
  CHECK(at_once.ending == exited(0));
  CHECK(at_once.out == "worker app: stop is under way\n");
  CHECK(operated.perch().worker()["state"] == "stopping");
}

TEST_CASE("among several workers one is named, or all are meant") {
  const TemporaryDirectory directory;
  PerchProcess perch(directory, app_config(directory) + second_worker(directory));
  REQUIRE(perch.wait_ready());
  const auto tell = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--control", directory.path("perch.sock")});
    return run_perch(words);
  };
  const Finished unnamed = tell({"restart"});
  CHECK(unnamed.ending == exited(kUsage));
  CHECK(unnamed.err ==
        "perch: restart: there are several workers; name one of app, other, or give --all\n");
  const Finished unknown = tell({"restart", "othr"});
  CHECK(unknown.ending == exited(kUsage));
  CHECK(unknown.err.contains("did you mean \"other\"?"));
  const Finished all = tell({"restart", "--all"});
  CHECK(all.ending == exited(0));
  CHECK(all.out.contains("worker app: generation 2 is ready\n"));
  CHECK(all.out.ends_with("worker other: generation 2 is ready\n"));
}

TEST_CASE("status shows one worker in full, and misses one that is not there") {
  const Operated operated;
  const Finished page = operated.tell({"status", "app"});
  CHECK(page.ending == exited(0));
  CHECK(page.out.starts_with("app: ready since "));
  CHECK(page.out.contains("memory-recycle 0"));
  CHECK(page.out.contains("listeners\n  api: listening, 0 of "));
  CHECK_FALSE(page.out.contains("\x1b"));
  const Finished missing = operated.tell({"status", "ap"});
  CHECK(missing.ending == exited(kUsage));
  CHECK(missing.err == "perch: there is no worker \"ap\"; did you mean \"app\"?\n");
}

TEST_CASE(
    "a watched status is drawn in place, fits its window, and leaves the terminal as it was") {
  Operated operated;
  PseudoTerminal terminal(24, 80);
  const int fd = terminal.program_side();
  Process watch({.argv = operated.command({"status", "--watch=100ms"}),
                 .environment = {"TERM=xterm", "NO_COLOR="},
                 .fds = {{0, fd}, {1, fd}, {2, fd}}});
  const auto shows = [&](std::string_view text) {
    return wait_until([&] { return terminal.shown().contains(text); });
  };
  CHECK(shows("\x1b[?1049h"));
  CHECK(shows("\x1b[32mready"));
  CHECK(terminal.is_raw());
  REQUIRE(ask(operated.api(), "ping"));
  CHECK_FALSE(ask(operated.api(), "exit 1"));
  CHECK(shows("deaths: exit 1"));
  CHECK_FALSE(terminal.shown().contains("\x1b[2J"));
  terminal.resize(4, 80);
  watch.signal(SIGWINCH);
  CHECK(shows(" more lines"));
  terminal.type("q");
  CHECK(watch.wait() == exited(0));
  CHECK(terminal.shown().ends_with("\x1b[?7h\x1b[?25h\x1b[?1049l"));
  CHECK_FALSE(terminal.is_raw());
}

TEST_CASE("a watched status without colours ends with a signal and restores the terminal, too") {
  const Operated operated;
  PseudoTerminal terminal(24, 80);
  const int fd = terminal.program_side();
  Process watch({.argv = operated.command({"status", "app", "--watch"}),
                 .environment = {"TERM=xterm", "NO_COLOR=1"},
                 .fds = {{0, fd}, {1, fd}, {2, fd}}});
  CHECK(wait_until([&] { return terminal.shown().contains("app: ready since"); }));
  CHECK_FALSE(terminal.shown().contains("\x1b[32m"));
  watch.signal(SIGINT);
  CHECK(watch.wait() == exited(0));
  CHECK(terminal.shown().ends_with("\x1b[?1049l"));
}

TEST_CASE("away from a terminal a watched status is printed again and again") {
  const Operated operated;
  Process watch({.argv = operated.command({"status", "--watch=100ms"})});
  CHECK(wait_until([&] {
    const std::string out = watch.out();
    const auto first = out.find("WORKER");
    return first != std::string::npos && out.find("WORKER", first + 1) != std::string::npos;
  }));
  CHECK_FALSE(watch.out().contains("\x1b"));
}

TEST_CASE("followed events tell of a kill as it happens, without a gap") {
  Operated operated;
  Process events({.argv = operated.command({"events", "-f", "--json"})});
  CHECK(wait_until([&] { return has_event(events.out(), "worker-state"); }));
  const auto reply = ask(operated.api(), "ping");
  REQUIRE(reply);
  CHECK(::kill(reply->pid, SIGKILL) == 0);
  CHECK(wait_until([&] {
    const std::string out = events.out();
    return has_event(out, "worker-death") && out.contains(R"("generation":2,"from":"starting")");
  }));
  operated.perch().process().signal(SIGTERM);
  CHECK(events.wait() == exited(kUnreachable));
  const auto all = events_in(events.out());
  for (std::size_t i = 0; i < all.size(); ++i) CHECK(all[i]["id"] == i + 1);
}

TEST_CASE("events are one line each, from where they are asked for") {
  const Operated operated;
  const Finished all = operated.tell({"events"});
  CHECK(all.ending == exited(0));
  CHECK(all.out.contains(" perch-started    perch "));
  CHECK_FALSE(all.out.contains("\x1b"));
  const Finished later = operated.tell({"events", "--since", "1", "--json"});
  const auto events = events_in(later.out);
  REQUIRE_FALSE(events.empty());
  CHECK(events.front()["id"] == 2);
}

TEST_CASE("a reader that goes away ends a command quietly") {
  const Operated operated;
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  ::close(ends[0]);
  const UniqueFd unread(ends[1]);
  const auto words = operated.command({"events"});
  const Finished killed = run({.argv = words, .fds = {{1, unread.get()}}});
  CHECK(killed.ending == killed_by(SIGPIPE));
  CHECK(killed.err.empty());
  const std::string deaf = fmt::format("trap '' PIPE; exec {}", fmt::join(words, " "));
  const Finished told = run({.argv = {"/bin/sh", "-c", deaf}, .fds = {{1, unread.get()}}});
  CHECK(told.ending == exited(1));
  CHECK(told.err.empty());
}

TEST_CASE("check --diff tells what a reload would change, and changes nothing") {
  Operated operated({.worker = "environment = {TOKEN = \"hush1\"}"});
  const Finished same = operated.tell({"check", "--diff"});
  CHECK(same.ending == exited(0));
  CHECK(same.out == "nothing would change\n");
  operated.perch().write_config(
      app_config(operated.directory(),
                 {.worker = "environment = {TOKEN = \"hush2\"}", .restart = "delay = \"7ms\""}) +
      second_worker(operated.directory()));
  const Finished changed = operated.tell({"check", "--diff"});
  CHECK(changed.ending == exited(0));
  CHECK(changed.out.contains("worker other: would be started\n"));
  CHECK(
      changed.out.contains("worker app: would be restarted\n  environment.\"TOKEN\": changed\n"
                           "  restart.delay: \"0s\" -> \"7ms\"\n"));
  CHECK_FALSE(changed.out.contains("hush"));
  CHECK(operated.generation() == 1);
  write_text(operated.perch().config_path(), "nonsense");
  CHECK(operated.tell({"check", "--diff"}).ending == exited(kUsage));
}

TEST_CASE("where no perch is every command says so with the same code") {
  const TemporaryDirectory empty;
  const std::string control = empty.path("control.sock");
  for (const char* command : {"restart", "stop", "start", "events", "status", "reload", "ready"}) {
    const Finished lost = run_perch({command, "--control", control});
    CHECK(lost.ending == exited(kUnreachable));
    CHECK(lost.err.starts_with("perch: cannot reach perch at " + control + ": "));
  }
}

}  // namespace perch::test
