// SPDX-License-Identifier: Apache-2.0
// perch-peer, the client's commands, where what they say cannot be written.
#include <doctest/doctest.h>
#include <fcntl.h>

#include "tests/unit/worker/scripted_peer.h"

namespace perch::test {
namespace {

UniqueFd full_device() {
  UniqueFd fd(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  REQUIRE(fd);
  return fd;
}

}  // namespace

TEST_CASE("where stderr cannot be written, the exit status tells as always") {
  ScriptedPeer peer;
  peer.download = [](const ScriptedPeer::Call&) { return grpc::Status(grpc::NOT_FOUND, "none"); };
  const UniqueFd full = full_device();
  for (const auto& [words, exit] :
       {std::pair{std::vector<std::string>{"get", "http://origin.example/data"}, 3},
        {{"get", "http://origin.example/data", "--unknown"}, 2},
        {{"rm", "no id"}, 2}}) {
    CAPTURE(words.front());
    Command command = peer.client(words);
    command.fds = {{2, full.get()}};
    CHECK(run(command).ending == exited(exit));
  }
}

TEST_CASE("ls tells where their answer cannot be written") {
  ScriptedPeer peer;
  peer.list = [](grpc::ServerContext&, dfdaemon::v2::ListLocalTasksResponse& response) {
    response.add_tasks()->set_task_id(std::string(64, 'a'));
  };
  const UniqueFd full = full_device();
  for (const std::vector<std::string>& words : {std::vector<std::string>{"ls"}, {"ls", "--json"}}) {
    CAPTURE(words.back());
    Command command = peer.client(words);
    command.fds = {{1, full.get()}};
    const auto told = run(command);
    CHECK(told.ending == exited(1));
    CHECK(told.err == "perch-peer ls: stdout: No space left on device\n");
  }
}

}  // namespace perch::test
