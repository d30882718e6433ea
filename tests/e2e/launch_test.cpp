// SPDX-License-Identifier: Apache-2.0
// What a worker finds when it starts, what becomes of its output, and what of it when perch is
// killed.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>

#include "common/posix/file.h"
#include "tests/support/client_storm.h"
#include "tests/support/perch_process.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

// perch with the test-worker as "app", which any user can execute.
class Scene {
 public:
  explicit Scene(const std::string& worker, const Surroundings& surroundings = {}) {
    ::chmod(directory_.path().c_str(), 0755);
    std::filesystem::copy_file(from_build("PERCH_TEST_WORKER"), directory_.path("app"));
    perch_.emplace(directory_,
                   fmt::format("[listeners.api]\npath = \"{0}/api.sock\"\n[workers.app]\n"
                               "command = [\"{0}/app\", \"--ready\", \"notify\"]\n"
                               "listeners = [\"api\"]\n{1}\n"
                               "[workers.app.readiness]\nby = \"notify\"\n",
                               directory_.path(), worker),
                   surroundings);
    REQUIRE(perch_->wait_ready());
  }
  [[nodiscard]] std::string ask_worker(const std::string& request) const {
    const auto reply = ask(directory_.path("api.sock"), request);
    return reply ? reply->text : "(no answer)";
  }
  // "Uid:\t0\t0\t0\t0" for "Uid".
  [[nodiscard]] std::string status_line(const std::string& name) const {
    const std::string text = ask_worker("read /proc/self/status");
    const std::size_t start = text.find(";" + name + ":") + 1;
    return text.substr(start, text.find(';', start) - start);
  }
  [[nodiscard]] std::string path() const { return directory_.path(); }

 private:
  TemporaryDirectory directory_;
  std::optional<PerchProcess> perch_;
};

std::string limit_line(const std::string& limits, const std::string& name) {
  const std::size_t start = limits.find(name);
  std::string line = limits.substr(start, limits.find(';', start) - start);
  line.erase(std::ranges::unique(line, [](char a, char b) { return a == ' ' && b == ' '; }).begin(),
             line.end());
  return line;
}

int own_oom_score() { return std::stoi(read_file("/proc/self/oom_score_adj").value_or("0")); }

}  // namespace

TEST_CASE("a worker's user brings its groups, home and names, and no capability") {
  if (!have(is_root(), "needs root: another user")) return;
  const Scene scene("user = \"nobody\"");
  CHECK(scene.status_line("Uid") == "Uid:\t65534\t65534\t65534\t65534");
  CHECK(scene.status_line("Gid") == "Gid:\t65534\t65534\t65534\t65534");
  CHECK(scene.status_line("CapEff") == "CapEff:\t0000000000000000");
  CHECK(scene.status_line("CapBnd") == "CapBnd:\t0000000000000000");
  CHECK(scene.ask_worker("env USER") == "nobody");
  CHECK(scene.ask_worker("env LOGNAME") == "nobody");
  CHECK(scene.ask_worker("env HOME") == "/nonexistent");
}

TEST_CASE("numbers serve as user and group") {
  if (!have(is_root(), "needs root: another user")) return;
  const Scene scene("user = \"12345\"\ngroup = \"54321\"");
  CHECK(scene.status_line("Uid") == "Uid:\t12345\t12345\t12345\t12345");
  CHECK(scene.status_line("Gid") == "Gid:\t54321\t54321\t54321\t54321");
}

TEST_CASE("a group without a user changes the group alone") {
  if (!have(is_root(), "needs root: another group")) return;
  const Scene scene("group = \"daemon\"");
  CHECK(scene.status_line("Uid") == "Uid:\t0\t0\t0\t0");
  CHECK(scene.status_line("Gid") == "Gid:\t1\t1\t1\t1");
}

TEST_CASE("a worker keeps the capabilities that are named, as root and as another user") {
  if (!have(is_root(), "needs root: capabilities")) return;
  const std::string kept = "capabilities = [\"net_bind_service\"]\n";
  for (const char* user : {"", "user = \"nobody\""}) {
    const Scene scene(kept + user);
    for (const char* set : {"CapPrm", "CapEff", "CapBnd"}) {
      CHECK(scene.status_line(set) == std::string(set) + ":\t0000000000000400");
    }
  }
}

TEST_CASE("umask, directory and environment are the worker's own") {
  const TemporaryDirectory home;
  const Surroundings surroundings{.environment = {"INHERITED=yes", "REPLACED=by perch's",
                                                  "NOTIFY_SOCKET=/nonexistent", "LISTEN_FDS=9",
                                                  "PERCH_CHANNEL=7"}};
  const Scene scene(fmt::format("umask = \"0027\"\ndirectory = \"{}\"\n"
                                "[workers.app.environment]\nADDED = \"a b=c\"\n"
                                "REPLACED = \"by the worker's\"\n",
                                home.path()),
                    surroundings);
  CHECK(scene.status_line("Umask") == "Umask:\t0027");
  CHECK(scene.ask_worker("link /proc/self/cwd") == home.path());
  CHECK(scene.ask_worker("env ADDED") == "a b=c");
  CHECK(scene.ask_worker("env INHERITED") == "yes");
  CHECK(scene.ask_worker("env REPLACED") == "by the worker's");
  CHECK(scene.ask_worker("env LISTEN_FDS") == "1");
  CHECK(scene.ask_worker("env LISTEN_FDNAMES") == "api");
  CHECK(scene.ask_worker("env PERCH_CHANNEL") == "(unset)");
  CHECK(scene.ask_worker("env NOTIFY_SOCKET") != "/nonexistent");
}

TEST_CASE("limits are the worker's own, and perch's raised one is given back") {
  rlimit ours{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &ours) == 0);
  const Scene plain("");
  CHECK(limit_line(plain.ask_worker("read /proc/self/limits"), "Max open files") ==
        fmt::format("Max open files {} {} files ", ours.rlim_cur, ours.rlim_max));
  const Scene limited("[workers.app.rlimits]\nnofile = [111, 222]\ncore = 0\n");
  const std::string limits = limited.ask_worker("read /proc/self/limits");
  CHECK(limit_line(limits, "Max open files") == "Max open files 111 222 files ");
  CHECK(limit_line(limits, "Max core file size") == "Max core file size 0 0 bytes ");
}

TEST_CASE("a worker is the likelier one to be killed for memory") {
  const Scene scene("");
  CHECK(scene.ask_worker("read /proc/self/oom_score_adj") ==
        std::to_string(std::min(1000, own_oom_score() + 500)) + ";");
}

TEST_CASE("a worker has 0, 1, 2 and what was handed over") {
  const Scene scene("");
  std::string fds = scene.ask_worker("fds");
  CHECK(std::ranges::count(fds, '=') == 4);
  CHECK(fds.starts_with("0=/dev/null 1="));
  CHECK(fds.contains(" 3=socket:"));
}

TEST_CASE("captured output passes through, and its last lines are evidence of the death") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("api.sock");
  const PerchProcess perch(
      directory,
      app_config(directory, {.arguments = {"--say", "first words", "--say", "last words"},
                             .worker = "capture = true"}));
  const Reply before = ask_newer(path, 0);
  ::kill(before.pid, SIGKILL);
  ask_newer(path, before.generation);
  const auto tail = perch.worker()["last_deaths"][0]["stderr_tail"];
  CHECK(tail == nlohmann::json{"first words", "last words"});
  CHECK(wait_until([&] {
    return perch.log().contains("first words\n") && perch.log().contains("last words\n");
  }));
}

TEST_CASE("what is not captured is the worker's own business") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("api.sock");
  const PerchProcess perch(directory, app_config(directory, {.arguments = {"--say", "words"}}));
  const Reply before = ask_newer(path, 0);
  CHECK(perch.log().contains("words\n"));
  ::kill(before.pid, SIGKILL);
  ask_newer(path, before.generation);
  CHECK(perch.worker()["last_deaths"][0]["stderr_tail"].empty());
}

TEST_CASE("a killed perch takes its worker along; the next one has the path, which never is gone") {
  for (const std::string handover : {"channel", "listen-fds"}) {
    CAPTURE(handover);
    const TemporaryDirectory directory;
    const std::string path = directory.path("api.sock");
    const std::string config = app_config(directory, {.handover = handover});
    std::optional<PerchProcess> first(std::in_place, directory, config);
    const pid_t worker = ask_newer(path, 0).pid;
    ClientStorm storm({.path = path}, 2);
    REQUIRE(wait_until([&] { return storm.served() > 100; }));

    first->process().signal(SIGKILL);
    CHECK(first->process().wait() == killed_by(SIGKILL));
    CHECK(wait_until([&] { return !alive(worker); }));
    const PerchProcess second(directory, config);
    REQUIRE(second.wait_ready());
    CHECK(second.status()["listeners"]["api"]["claimed"] == "replaced-stale");
    const auto before = storm.served();
    CHECK(wait_until([&] { return storm.served() > before + 100; }));
    CHECK(storm.stop().missing == 0);
  }
}

TEST_CASE("a worker is started again though the place of perch's own sockets is gone") {
  const TemporaryDirectory directory;
  const TemporaryDirectory control;
  const std::string socket = control.path("c.sock");
  const PerchProcess perch(
      directory, app_config(directory),
      {.arguments = {"--control", socket}, .environment = {"TMPDIR=/nowhere"}});
  const Reply first = ask_newer(directory.path("api.sock"), 0);
  std::filesystem::remove_all(control.path());
  CHECK_FALSE(ask(directory.path("api.sock"), "exit 1"));
  CHECK(ask_newer(directory.path("api.sock"), first.generation).pid != first.pid);
}

TEST_CASE("children that perch had before it was perch are not the worker's orphans") {
  const TemporaryDirectory directory;
  const std::string pid_file = directory.path("pid");
  PerchProcess perch(
      directory, app_config(directory),
      {.prefix = {"/bin/sh", "-c", "sleep 1000 & echo $! > " + pid_file + "; exec \"$@\"", "sh"}});
  REQUIRE(perch.wait_ready());
  const auto text = read_file(pid_file);
  REQUIRE(text);
  const pid_t sibling = std::stoi(*text);
  CHECK_FALSE(ask(directory.path("api.sock"), "exit 1"));
  REQUIRE(wait_until([&] { return perch.worker()["starts"] == 2; }));
  CHECK(::kill(sibling, 0) == 0);
  ::kill(sibling, SIGKILL);
}

}  // namespace perch::test
