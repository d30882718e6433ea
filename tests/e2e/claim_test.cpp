// SPDX-License-Identifier: Apache-2.0
// Two perches, or a perch and a wrong file, at one path.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "common/posix/unix_socket.h"
#include "tests/support/client_storm.h"
#include "tests/support/perch_process.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

// A configuration in its own directory that claims a path in another one.
std::string claiming(const std::string& path, const std::string& wait_for_owner) {
  return fmt::format(R"([listeners.api]
path = "{}"
wait_for_owner = "{}"
[workers.app]
command = {}
listeners = ["api"]
)",
                     path, wait_for_owner, worker_command("listen-fds"));
}

Finished claim_by_command(const std::string& path) {
  return run_perch({"run", "--control", "none", "--listen", path, "--", "/bin/true"});
}

std::ptrdiff_t lines(const std::string& text) { return std::ranges::count(text, '\n'); }

// perch refuses the path with exit code 3 and one line that names it.
void check_refused(const std::string& path) {
  const Finished finished = claim_by_command(path);
  CHECK(finished.ending == exited(3));
  CHECK(finished.err.contains(path));
  CHECK(lines(finished.err) == 1);
}

std::ptrdiff_t notify_sockets_in(const std::string& directory) {
  return std::ranges::count_if(fs::directory_iterator(directory),
                               [](const fs::directory_entry& at) {
                                 return at.path().filename().string().starts_with("notify.");
                               });
}

}  // namespace

TEST_CASE("a second perch waits for the path and takes it over when the first ends") {
  const TemporaryDirectory shared, one, two;
  const std::string path = shared.path("s");
  PerchProcess first(one, claiming(path, "0s"));
  REQUIRE(first.wait_ready());
  const Reply before = ask_newer(path, 0);

  const PerchProcess second(two, claiming(path, "60s"));
  REQUIRE(wait_until([&] { return second.log().contains(path); }));
  CHECK(ask(path, "ping")->pid == before.pid);

  first.process().signal(SIGTERM);
  CHECK(first.process().wait() == exited(0));
  REQUIRE(second.wait_ready());
  CHECK(ask(path, "ping")->pid != before.pid);
  CHECK(second.status()["listeners"]["api"]["claimed"] == "replaced-stale");
}

TEST_CASE("a second perch that does not want to wait exits with 3 and harms nothing") {
  const TemporaryDirectory shared, one, two;
  const std::string path = shared.path("s");
  const PerchProcess first(one, claiming(path, "0s"));
  REQUIRE(first.wait_ready());
  const Reply before = ask_newer(path, 0);
  const ino_t inode = inode_of(path);

  PerchProcess second(two, claiming(path, "0s"));
  CHECK(second.process().wait() == exited(3));
  CHECK(second.log().contains(path));
  CHECK(ask(path, "ping")->pid == before.pid);
  CHECK(inode_of(path) == inode);
}

TEST_CASE("a perch that was killed leaves stale sockets, which the next one replaces or removes") {
  const TemporaryDirectory shared, directory;
  const std::string path = shared.path("s");
  for (int i = 0; i < 5; ++i) {
    PerchProcess perch(directory, claiming(path, "0s"));
    REQUIRE(perch.wait_ready());
    CHECK(ask_newer(path, 0).generation == 1);
    CHECK(perch.status()["listeners"]["api"]["claimed"] == (i == 0 ? "bound" : "replaced-stale"));
    CHECK(notify_sockets_in(directory.path()) == 1);
    perch.process().signal(SIGKILL);
    CHECK(perch.process().wait() == killed_by(SIGKILL));
  }
}

TEST_CASE("a file that is no socket is left as it is, and perch exits with 3") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("s");

  write_text(path, "precious");
  check_refused(path);
  CHECK(fs::file_size(path) == 8);
  fs::remove(path);

  fs::create_directory(path);
  check_refused(path);
  CHECK(fs::is_directory(path));
  fs::remove(path);

  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  check_refused(path);
  CHECK(fs::is_fifo(path));
}

TEST_CASE("a symlink at the path is never followed") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("s");

  fs::create_symlink(directory.path("nowhere"), path);
  check_refused(path);
  CHECK(fs::read_symlink(path) == directory.path("nowhere"));
  fs::remove(path);

  write_text(directory.path("target"), "precious");
  fs::create_symlink(directory.path("target"), path);
  check_refused(path);
  CHECK(fs::is_symlink(path));
  CHECK(fs::file_size(directory.path("target")) == 8);
}

TEST_CASE("a live socket of somebody else is not taken") {
  const TemporaryDirectory shared, directory;
  const std::string path = shared.path("s");
  const auto address = unix_address(path);
  const auto owner = unix_socket(SOCK_STREAM, Blocking::Yes);
  REQUIRE(::bind(owner->get(), address->get(), address->size) == 0);
  const ino_t inode = inode_of(path);

  PerchProcess perch(directory, claiming(path, "0s"));
  CHECK(perch.process().wait() == exited(3));
  CHECK(inode_of(path) == inode);
}

TEST_CASE("a directory that does not exist and a path that is too long are told in one line") {
  const TemporaryDirectory directory;
  const Finished missing = claim_by_command(directory.path("no/such/s"));
  CHECK(missing.ending.code != 0);
  CHECK(missing.err.contains("does not exist"));
  CHECK(lines(missing.err) == 1);

  const Finished too_long = claim_by_command(directory.path(std::string(120, 'x')));
  CHECK(too_long.ending == exited(2));
  CHECK(too_long.err.contains("107"));
  CHECK(lines(too_long.err) == 1);
}

}  // namespace perch::test
