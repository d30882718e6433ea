// SPDX-License-Identifier: Apache-2.0
// Why perch ended, in the file that Kubernetes shows, and its exit code.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "common/posix/file.h"
#include "tests/support/perch_process.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

struct Scene {
  explicit Scene(std::string_view before = "") { write_text(log(), before); }
  [[nodiscard]] std::string log() const { return directory.path("termination-log"); }
  [[nodiscard]] std::string said() const { return read_file(log()).value_or("(unreadable)"); }
  [[nodiscard]] Surroundings told() const {
    return {.environment = {"PERCH_TERMINATION_LOG=" + log()}};
  }
  // perch to its end, with this configuration.
  [[nodiscard]] Ending run(const std::string& config) const {
    PerchProcess perch(directory, config, told());
    const auto ending = perch.process().wait();
    REQUIRE(ending);
    return *ending;
  }

  TemporaryDirectory directory;
};

std::string worker(const std::string& command, const std::string& more = "") {
  return fmt::format("[workers.app]\ncommand = {}\n{}\n", command, more);
}

}  // namespace

TEST_CASE("a configuration with mistakes: 2, and all of them on one line") {
  const Scene scene;
  CHECK(scene.run("[workers.app]\ncommand = []\nnonsense = 1\n") == exited(2));
  CHECK(scene.said().contains("workers.app.command"));
  CHECK(scene.said().contains("nonsense"));
  CHECK_FALSE(scene.said().contains('\n'));
}

TEST_CASE("wrong usage of run: 2; of a client command it is nobody's end") {
  const Scene scene;
  const auto variable = scene.told().environment;
  const auto finished =
      run({.argv = {perch_binary(), "run", "--lisen", "x"}, .environment = variable});
  CHECK(finished.ending == exited(2));
  CHECK(scene.said().contains("unknown option '--lisen' (did you mean --listen?)"));

  const std::string before = scene.said();
  CHECK(run({.argv = {perch_binary(), "status", "--lisen"}, .environment = variable}).ending ==
        exited(2));
  CHECK(scene.said() == before);
}

TEST_CASE("a name that the system does not know: 2") {
  const Scene scene;
  CHECK(scene.run(worker("[\"true\"]", "user = \"no-such-user\"")) == exited(2));
  CHECK(scene.said().contains("no-such-user"));
}

TEST_CASE("a path that is no socket, or another's: 3, or 125 where the worker's code passes") {
  const Scene scene;
  write_text(scene.directory.path("api.sock"), "no socket");
  CHECK(scene.run(app_config(scene.directory)) == exited(3));
  CHECK(scene.said().contains(scene.directory.path("api.sock")));
  CHECK(scene.run(app_config(scene.directory, {.restart = "policy = \"never\""})) == exited(125));
}

TEST_CASE("a directory that is not there: 1") {
  const Scene scene;
  CHECK(scene.run("[listeners.api]\npath = \"/nonexistent/api.sock\"\n" +
                  worker("[\"true\"]", "listeners = [\"api\"]")) == exited(1));
  CHECK(scene.said().contains("/nonexistent"));
}

TEST_CASE("given up on a worker: 4, with its name, its last cause and its last words") {
  const Scene scene;
  CHECK(scene.run(worker(R"(["sh", "-c", "echo no database >&2; exit 9"])",
                         "capture = true\n[workers.app.restart]\ndelay = \"0ms\"\nattempts = 2\n"
                         "on_give_up = \"exit\"")) == exited(4));
  CHECK(scene.said() ==
        "worker app: given up after 2 failures in a row; generation 2 ended: exit: exit status 9; "
        "its last line: no database");
}

TEST_CASE("a command that cannot be executed at the first start: 126 and 127") {
  const Scene scene;
  CHECK(scene.run(worker("[\"/nonexistent/app\"]")) == exited(127));
  CHECK(scene.said().contains("worker app: generation 1 ended: exec-failed: "));
  CHECK(scene.said().contains("exec /nonexistent/app: No such file or directory"));
  CHECK(scene.run(worker("[\"/etc/passwd\"]")) == exited(126));
  CHECK(scene.said().contains("exec /etc/passwd: Permission denied"));
}

TEST_CASE("with policy never the code is the worker's, and why it ended is told") {
  const Scene scene;
  const std::string never = "[workers.app.restart]\npolicy = \"never\"";
  CHECK(scene.run(worker(R"(["sh", "-c", "exit 9"])", never)) == exited(9));
  CHECK(scene.said() == "worker app: generation 1 ended: exit: exit status 9");
  CHECK(scene.run(worker(R"(["sh", "-c", "kill -9 $$"])", never)) == exited(137));
  CHECK(scene.said().contains("\nworker app: generation 1 ended: signal: signal 9"));
}

TEST_CASE("an end that was asked for, or that is the worker's success, says nothing") {
  const Scene scene;
  PerchProcess perch(scene.directory, app_config(scene.directory), scene.told());
  REQUIRE(perch.wait_ready());
  perch.process().signal(SIGTERM);
  CHECK(perch.process().wait() == exited(0));
  CHECK(scene.run(worker("[\"true\"]", "[workers.app.restart]\npolicy = \"never\"")) == exited(0));
  CHECK(scene.said().empty());
}

TEST_CASE("what a worker has left there stays before perch's own line") {
  const Scene scene("the worker's own words");
  CHECK(scene.run(worker("[\"/nonexistent/app\"]")) == exited(127));
  CHECK(scene.said().starts_with("the worker's own words\nworker app: "));
}

TEST_CASE("no more is written than a kubelet shows, on one line") {
  const Scene scene;
  const std::string name(60'000, 'x');
  CHECK(scene.run(worker(fmt::format("[\"/nonexistent/{}\\n\"]", name))) != exited(0));
  CHECK(scene.said().size() == 4096);
  CHECK_FALSE(scene.said().contains('\n'));
}

TEST_CASE("the file is never made, no link is followed, and a pipe or directory is left alone") {
  const Scene scene;
  const std::string target = scene.directory.path("target");
  const std::string broken = worker("[\"/nonexistent/app\"]");
  fs::remove(scene.log());
  CHECK(scene.run(broken) == exited(127));
  CHECK_FALSE(fs::exists(scene.log()));

  write_text(target, "");
  fs::create_symlink(target, scene.log());
  CHECK(scene.run(broken) == exited(127));
  CHECK(read_file(target) == "");

  fs::remove(scene.log());
  REQUIRE(::mkfifo(scene.log().c_str(), 0600) == 0);
  CHECK(scene.run(broken) == exited(127));
  fs::remove(scene.log());
  fs::create_directory(scene.log());
  CHECK(scene.run(broken) == exited(127));
}

TEST_CASE("unless told otherwise it is /dev/termination-log") {
  if (!have(is_root(), "needs root: a /dev of its own")) return;
  const TemporaryDirectory directory;
  // A /dev as a container has it, in a mount namespace that goes with the shell.
  const std::string script =
      "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && : > /dev/termination-log && "
      "{ \"$@\" < /dev/null; code=$?; cat /dev/termination-log; exit $code; }";
  const Finished finished =
      run({.argv = {"unshare", "--mount", "sh", "-c", script, "sh", perch_binary(), "run",
                    "--control", "none", "--", "/nonexistent/app"}});
  CHECK(finished.ending == exited(127));
  CHECK(finished.out.starts_with("worker app: generation 1 ended: exec-failed: "));
}

}  // namespace perch::test
