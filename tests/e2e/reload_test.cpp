// SPDX-License-Identifier: Apache-2.0
// Reload: what changes is applied, what did not is not touched, what is broken changes nothing, and
// clients are served all the while.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/client_storm.h"
#include "tests/support/perch_process.h"

namespace perch::test {
namespace {

// perch with worker "app" under clients; each change is told against what came before.
class Served {
 public:
  Served() : perch_(directory_, app_config(directory_)) {
    REQUIRE(perch_.wait_ready());
    pid_ = ask_newer(api(), 0).pid;
    storm_.emplace(ClientStorm::Target{.path = api()});
  }

  ~Served() {
    CHECK(wait_until([this] { return storm_->served() > 0; }));
    const StormCounts counts = storm_->stop();
    CHECK(counts.refused == 0);
    CHECK(counts.missing == 0);
    CHECK(counts.inodes.size() == 1);
  }
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  void reload(const AppConfig& wanted, std::string_view more = "") {
    const auto before = perch_.status()["perch"]["reloads"]["ok"].get<int>();
    perch_.write_config(app_config(directory_, wanted) + std::string(more));
    perch_.process().signal(SIGHUP);
    REQUIRE(wait_until([&] { return perch_.status()["perch"]["reloads"]["ok"] == before + 1; }));
  }
  [[nodiscard]] bool same_worker() const { return ask(api(), "ping")->pid == pid_; }
  // The worker that serves after a restart that the reload asked for.
  [[nodiscard]] bool restarted() {
    const bool done = wait_until([this] {
      const auto reply = ask(api(), "ping");
      return reply && reply->pid != pid_;
    });
    pid_ = ask_newer(api(), 0).pid;
    return done;
  }

  [[nodiscard]] std::string api() const { return directory_.path("api.sock"); }
  const TemporaryDirectory& directory() const { return directory_; }
  PerchProcess& perch() { return perch_; }

 private:
  TemporaryDirectory directory_;
  PerchProcess perch_;
  pid_t pid_ = 0;
  std::optional<ClientStorm> storm_;
};

mode_t mode_of(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 ? found.st_mode & 07777U : 0;
}

std::string second_pair(const TemporaryDirectory& directory) {
  return fmt::format(R"([listeners.extra]
path = "{}"
[workers.extra]
command = {}
listeners = ["extra"]
)",
                     directory.path("extra.sock"), worker_command("listen-fds"));
}

}  // namespace

TEST_CASE("a file that did not change touches nothing") {
  Served served;
  served.reload({});
  CHECK(served.same_worker());
}

TEST_CASE("policies change live") {
  Served served;
  served.reload(
      {.worker = "stop_timeout = \"3s\"", .restart = "burst = 0\ndelay = \"400ms\"\njitter = 0.0"});
  CHECK(served.same_worker());
  CHECK_FALSE(ask(served.api(), "exit 1"));
  CHECK(served.restarted());
  CHECK(served.perch().worker()["outage_seconds"]["last"].get<double>() >= 0.4);
}

TEST_CASE("a changed environment restarts the worker, which then sees it") {
  Served served;
  served.reload({.worker = "environment = {COLOUR = \"blue\"}"});
  CHECK(served.restarted());
  CHECK(ask(served.api(), "env COLOUR")->text == "blue");
  CHECK(served.perch().worker()["deaths"]["requested"] == 1);
}

TEST_CASE("a new worker that cannot be started backs off, and the others go on") {
  Served served;
  served.reload({}, "[workers.extra]\ncommand = [\"/no/such/program\"]\n");
  CHECK(served.perch().wait_state("backoff", "extra"));
  CHECK(served.perch().worker("extra")["deaths"]["exec-failed"] == 1);
  CHECK(served.same_worker());
}

TEST_CASE("a listener under a new name is the same socket") {
  Served served;
  const auto inode = served.perch().status()["listeners"]["api"]["inode"];
  std::string renamed = app_config(served.directory());
  for (const auto& [from, to] : {std::pair("[listeners.api]", "[listeners.web]"),
                                 std::pair("listeners = [\"api\"]", "listeners = [\"web\"]")}) {
    const auto at = renamed.find(from);
    REQUIRE(at != std::string::npos);
    renamed.replace(at, std::string_view(from).size(), to);
  }
  served.perch().write_config(renamed);
  served.perch().process().signal(SIGHUP);
  CHECK(wait_until([&] { return served.perch().status()["listeners"].contains("web"); }));
  CHECK(served.perch().status()["listeners"]["web"]["inode"] == inode);
  CHECK_FALSE(served.perch().status()["listeners"].contains("api"));
  CHECK(served.restarted());
}

TEST_CASE("a socket's owner who does not exist is refused before anything changes") {
  Served served;
  served.perch().write_config(
      app_config(served.directory(), {.listener = "user = \"nobody-of-that-name\""}));
  served.perch().process().signal(SIGHUP);
  CHECK(wait_until([&] { return served.perch().status()["perch"]["reloads"]["failed"] == 1; }));
  CHECK(served.same_worker());
}

TEST_CASE("a changed command restarts the worker") {
  Served served;
  served.reload({.arguments = {"--ready", "none"}});
  CHECK(served.restarted());
}

TEST_CASE("a changed hand-over restarts the worker on the same socket") {
  Served served;
  served.reload({.handover = "channel"});
  CHECK(served.restarted());
  CHECK(served.perch().wait_ready());
}

TEST_CASE("a changed mode and backlog are set on the living socket") {
  Served served;
  served.reload({.listener = "mode = \"0600\"\nbacklog = 64"});
  CHECK(served.same_worker());
  CHECK(mode_of(served.api()) == 0600);
  CHECK(served.perch().status()["listeners"]["api"]["backlog"] == 64);
}

TEST_CASE("an added listener and worker start, and a removed one ends") {
  Served served;
  const std::string extra = served.directory().path("extra.sock");
  served.reload({}, second_pair(served.directory()));
  const Reply reply = ask_newer(extra, 0);
  CHECK(served.same_worker());

  served.reload({});
  CHECK(wait_until([&] { return ::kill(reply.pid, 0) != 0; }));
  CHECK(wait_until([&] { return !served.perch().status()["workers"].contains("extra"); }));
  CHECK(wait_until([&] { return !served.perch().status()["listeners"].contains("extra"); }));
  CHECK(served.same_worker());
}

TEST_CASE("'perch reload' answers with success, and with the reason of a refusal") {
  Served served;
  const std::string control = served.directory().path("perch.sock");
  CHECK(run_perch({"reload", "--control", control}).ending == exited(0));
  served.perch().write_config("[workers.app]\ncommand = 7\n");
  const Finished refused = run_perch({"reload", "--control", control});
  CHECK(refused.ending.code != 0);
  CHECK(refused.err.contains("command"));
  CHECK(served.same_worker());
}

namespace {

// Below four lines of [perch]: the first line here is line 5 of the file.
struct Broken {
  std::string what;
  std::string text;
  int line;
  std::string key;     // or what stands there
  std::string remedy;  // a word of what to do
};
const Broken kBroken[] = {
    {"syntax", "[workers.app]\ncommand = [\"a\n", 6, "", "perch.toml"},
    {"unknown table", "[workerz.app]\ncommand = [\"/bin/true\"]\n", 5, "workerz", "workers"},
    {"unknown key", "[workers.app]\ncomand = [\"/bin/true\"]\n", 6, "comand", "command"},
    {"wrong type", "[workers.app]\ncommand = 5\n", 6, "command", "array"},
    {"empty command", "[workers.app]\ncommand = []\n", 6, "command", "program"},
    {"no command", "[workers.app]\nrequired = true\n", 5, "command", "command"},
    {"bad duration", "[workers.app]\ncommand = [\"/bin/true\"]\nstop_timeout = \"5 weeks\"\n", 7,
     "stop_timeout", "ms, s, m or h"},
    {"bad mode", "[listeners.api]\npath = \"/tmp/x\"\nmode = \"rw\"\n", 7, "mode", "octal"},
    {"relative path", "[listeners.api]\npath = \"x.sock\"\n", 6, "path", "absolute"},
    {"unknown listener", "[workers.app]\ncommand = [\"/bin/true\"]\nlisteners = [\"nine\"]\n", 7,
     "listeners", "nine"},
    {"unknown hand-over", "[workers.app]\ncommand = [\"/bin/true\"]\nhandover = \"fd\"\n", 7,
     "handover", "listen-fds"},
    {"unknown signal", "[workers.app]\ncommand = [\"/bin/true\"]\nstop_signal = \"SIGNOPE\"\n", 7,
     "stop_signal", "SIGTERM"},
    {"out of range", "[workers.app]\ncommand = [\"/bin/true\"]\nrestart = {jitter = 3.0}\n", 7,
     "jitter", "1"},
    {"readiness that is not there",
     "[workers.app]\ncommand = [\"/bin/true\"]\nreadiness = {by = \"probe\"}\n", 7, "readiness",
     "not in this build"},
};

}  // namespace

TEST_CASE("a broken file changes nothing and is told with line, key and remedy") {
  Served served;
  for (int refused = 0; const Broken& broken : kBroken) {
    CAPTURE(broken.what);
    served.perch().write_config(broken.text);
    served.perch().process().signal(SIGHUP);
    ++refused;
    CHECK(wait_until(
        [&] { return served.perch().status()["perch"]["reloads"]["failed"] == refused; }));
    const auto error = served.perch().status()["perch"]["reloads"]["last_error"];
    REQUIRE(error.is_string());
    const auto text = error.get<std::string>();
    CAPTURE(text);
    CHECK(text.contains(fmt::format("perch.toml:{}", broken.line)));
    CHECK(text.contains(broken.key));
    CHECK(text.contains(broken.remedy));
    CHECK(served.same_worker());
  }
}

TEST_CASE("'perch check' finds the same faults and exits with 2") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("perch.toml");
  for (const Broken& broken : kBroken) {
    CAPTURE(broken.what);
    write_text(path, fmt::format("\n\n\n\n{}", broken.text));
    const Finished checked = run_perch({"check", "-c", path});
    CHECK(checked.ending == exited(2));
    CAPTURE(checked.err);
    CHECK(checked.err.contains(fmt::format("perch.toml:{}", broken.line)));
    CHECK(checked.err.contains(broken.key));
  }
  write_text(path, app_config(directory));
  CHECK(run_perch({"check", "-c", path}).ending == exited(0));
}

TEST_CASE("a file that went away is a failed reload") {
  Served served;
  std::filesystem::remove(served.perch().config_path());
  served.perch().process().signal(SIGHUP);
  CHECK(wait_until([&] { return served.perch().status()["perch"]["reloads"]["failed"] == 1; }));
  CHECK(served.same_worker());
}

}  // namespace perch::test
