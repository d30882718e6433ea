// SPDX-License-Identifier: Apache-2.0
// The harness and the test-worker themselves, without perch: what they report has to be true.
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/socket.h>

#include "common/posix/unix_socket.h"
#include "tests/support/client.h"
#include "tests/support/client_storm.h"
#include "tests/support/memory_cgroup.h"
#include "tests/support/process.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"
#include "tests/support/temporary_directory.h"

namespace perch::test {
namespace {

UniqueFd listen_at(const std::string& path) {
  auto socket = unix_socket(SOCK_STREAM, Blocking::Yes);
  const auto address = unix_address(path);
  REQUIRE((socket && address));
  REQUIRE(::bind(socket->get(), address->get(), address->size) == 0);
  REQUIRE(::listen(socket->get(), 100) == 0);
  return std::move(*socket);
}

Command worker_on_stdin(const UniqueFd& listener) {
  return {.argv = {from_build("PERCH_TEST_WORKER"), "--by", "stdin"},
          .environment = {"PERCH_GENERATION=app/7"},
          .fds = {{0, listener.get()}}};
}

}  // namespace

TEST_CASE("a worker on standard input answers with its pid and generation") {
  const TemporaryDirectory directory;
  const UniqueFd listener = listen_at(directory.path("s"));
  const Process worker(worker_on_stdin(listener));
  const auto reply = ask(directory.path("s"), "ping");
  REQUIRE(reply);
  CHECK(reply->text == "pong");
  CHECK(reply->generation == 7);
  CHECK(reply->pid == worker.pid());
}

TEST_CASE("a storm counts refused, missing and lost replies") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("s");
  ClientStorm missing({.path = path}, 1);
  CHECK(wait_until([&] { return missing.turned_away() > 0; }));
  CHECK(missing.stop().missing > 0);

  UniqueFd listener = listen_at(path);
  {
    Process worker(worker_on_stdin(listener));
    ClientStorm storm({.path = path}, 2);
    CHECK(wait_until([&] { return storm.served() > 100; }));
    const StormCounts counts = storm.stop();
    CHECK(counts.refused + counts.missing + counts.lost == 0);
    CHECK(counts.inodes.size() == 1);
  }
  listener.reset();
  ClientStorm refused({.path = path}, 1);
  CHECK(wait_until([&] { return refused.turned_away() > 0; }));
  CHECK(refused.stop().refused > 0);
}

TEST_CASE("a process that is destroyed takes its double-forked children along") {
  const TemporaryDirectory directory;
  const UniqueFd listener = listen_at(directory.path("s"));
  pid_t daemon = 0;
  {
    const Process worker(worker_on_stdin(listener));
    const auto reply = ask(directory.path("s"), "daemons 2");
    REQUIRE(reply);
    daemon = std::stoi(reply->text);
    CHECK(alive(daemon));
  }
  CHECK_FALSE(alive(daemon));
}

TEST_CASE("an ending says exit status or signal, and output is kept") {
  CHECK(run({.argv = {"sh", "-c", "echo out; echo err >&2; exit 3"}}).ending == exited(3));
  const Finished finished = run({.argv = {"sh", "-c", "echo out; echo err >&2; kill -9 $$"}});
  CHECK(finished.ending == killed_by(SIGKILL));
  CHECK(finished.out == "out\n");
  CHECK(finished.err == "err\n");
}

TEST_CASE("a hog in a memory cgroup is killed by the kernel") {
  const auto cgroup = MemoryCgroup::make(64U << 20U);
  if (!have(cgroup != nullptr, "needs a writable memory cgroup")) return;
  const TemporaryDirectory directory;
  const UniqueFd listener = listen_at(directory.path("s"));
  Command command = worker_on_stdin(listener);
  command.cgroups = {cgroup->procs()};
  Process worker(command);
  CHECK_FALSE(ask(directory.path("s"), "hog"));
  CHECK(worker.wait() == killed_by(SIGKILL));
  CHECK(cgroup->oom_kills() == 1);
}

}  // namespace perch::test
