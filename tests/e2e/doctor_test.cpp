// SPDX-License-Identifier: Apache-2.0
// `perch doctor`: what it tells of daemons, and that its proposal keeps them reachable.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>

#include "common/posix/file.h"
#include "tests/support/client.h"
#include "tests/support/perch_process.h"
#include "tests/support/process.h"
#include "tests/support/requirement.h"
#include "tests/support/temporary_directory.h"

namespace perch::test {
namespace {

constexpr int kUsage = 2;
constexpr int kNotDone = 7;
constexpr int kNotFound = 1;

Finished examine(const std::vector<std::string>& command) {
  std::vector<std::string> argv{perch_binary(), "doctor", "--timeout", "20s", "--"};
  argv.insert(argv.end(), command.begin(), command.end());
  return run({.argv = argv});
}

// `setup` makes the listening socket `s`; then it serves until SIGTERM, and does `at_end`.
std::vector<std::string> daemon_that(const std::string& setup, const std::string& at_end = "pass") {
  return {"python3", "-c",
          fmt::format("import os, signal, socket, sys, threading\n"
                      "def end(*_):\n {}\n os._exit(0)\n"
                      "signal.signal(signal.SIGTERM, end)\n{}\n"
                      "while True:\n c, _ = s.accept()\n c.sendall(b'hello\\n')\n c.close()\n",
                      at_end, setup)};
}

bool is_served(const std::string& path) {
  Client client(path);
  return client.error() == 0 && client.line() == "hello";
}

}  // namespace

TEST_CASE("doctor tells what a daemon does, and proposes a configuration that perch runs") {
  if (!have(is_installed("python3"), "needs python3")) return;
  const TemporaryDirectory directory;
  const std::string path = directory.path("app.sock");
  const auto command =
      daemon_that(fmt::format("s = socket.socket(socket.AF_UNIX)\n"
                              "try: os.unlink('{0}')\nexcept FileNotFoundError: pass\n"
                              "s.bind('{0}')\nos.chmod('{0}', 0o660)\ns.listen(7)",
                              path),
                  fmt::format("os.unlink('{}')", path));
  const Finished told = examine(command);
  CAPTURE(told.out);
  CAPTURE(told.err);
  REQUIRE(told.ending == exited(0));
  CHECK(told.out.contains(path + ": stream socket, backlog 7, mode 0660"));
  CHECK(told.out.contains("deletes it first"));
  CHECK(told.out.contains("deletes the path when it is stopped"));
  CHECK_FALSE(std::filesystem::exists(path));

  write_text(directory.path("perch.toml"),
             told.out + fmt::format("[perch]\ncontrol = \"{}\"\n", directory.path("perch.sock")));
  const Finished checked =
      run({.argv = {perch_binary(), "check", "-c", directory.path("perch.toml")}});
  CAPTURE(checked.err);
  CHECK(checked.ending == exited(0));
}

TEST_CASE("doctor tells what a kill does to a daemon that deletes nothing") {
  if (!have(is_installed("python3"), "needs python3")) return;
  const TemporaryDirectory directory;
  const Finished told = examine(daemon_that(
      fmt::format("os.chdir('{}')\ns = socket.socket(socket.AF_UNIX)\ns.bind('app.sock')\n"
                  "s.listen()",
                  directory.path())));
  CAPTURE(told.out);
  CHECK(told.ending == exited(0));
  CHECK(told.out.contains(directory.path("app.sock") + ": stream socket"));
  CHECK(told.out.contains("Address already in use"));
}

TEST_CASE("doctor takes nobody's socket away") {
  if (!have(is_installed("python3"), "needs python3")) return;
  const TemporaryDirectory directory;
  const std::string path = directory.path("app.sock");
  const auto command =
      daemon_that(fmt::format("s = socket.socket(socket.AF_UNIX)\n"
                              "if os.path.exists('{0}'): os.unlink('{0}')\n"
                              "s.bind('{0}')\ns.listen()",
                              path));
  Process owner({.argv = command});
  REQUIRE(wait_until([&] { return is_served(path); }));
  const auto inode = inode_of(path);
  const Finished told = examine(command);
  CAPTURE(told.out);
  CHECK(told.ending == exited(kNotDone));
  CHECK(told.out.contains(path + " is in use"));
  CHECK(inode_of(path) == inode);
  CHECK(is_served(path));
}

TEST_CASE("doctor says so where there is nothing to propose") {
  const Finished told = examine({"true"});
  CAPTURE(told.out);
  CHECK(told.ending == exited(kNotDone));
  CHECK(told.out.contains("it ended by itself, with status 0"));
  CHECK(told.out.contains("nothing to propose"));
}

TEST_CASE("doctor's own mistakes are told in one line") {
  const Finished missing = examine({"/nonexistent/program"});
  CHECK(missing.ending == exited(kNotFound));
  CHECK(missing.err.starts_with("perch: doctor: exec /nonexistent/program: No such file"));
  const Finished bare = run({.argv = {perch_binary(), "doctor"}});
  CHECK(bare.ending == exited(kUsage));
  CHECK(bare.err.contains("a command is needed after --"));
}

TEST_CASE("a daemon leaves nothing behind after doctor has looked at it") {
  if (!have(is_installed("python3"), "needs python3")) return;
  const TemporaryDirectory directory;
  const std::string mark = directory.path("child");
  const Finished told = examine(daemon_that(
      fmt::format("s = socket.socket(socket.AF_UNIX)\ns.bind('{}')\ns.listen()\n"
                  "if os.fork() == 0:\n os.setsid()\n open('{}', 'w').write(str(os.getpid()))\n"
                  " signal.signal(signal.SIGTERM, signal.SIG_IGN)\n while True: signal.pause()",
                  directory.path("app.sock"), mark)));
  CHECK(told.ending == exited(0));
  const std::string pid = read_file(mark).value_or("");
  REQUIRE_FALSE(pid.empty());
  CHECK(wait_until([&] { return !std::filesystem::exists("/proc/" + pid); }));
}

}  // namespace perch::test
