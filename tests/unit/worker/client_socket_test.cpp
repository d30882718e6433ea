// SPDX-License-Identifier: Apache-2.0
// perch-peer, the client's commands: what a peer's socket may be called, and who may not use it.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/requirement.h"
#include "tests/unit/worker/scripted_peer.h"

namespace perch::test {
namespace {

constexpr uid_t kNobody = 65534;

void list_nothing(grpc::ServerContext& /*context*/,
                  dfdaemon::v2::ListLocalTasksResponse& /*response*/) {}

Finished list_at(const ScriptedPeer& peer, const std::string& socket) {
  return run(peer.client({"ls", "--timeout", "20", "--socket", socket}));
}

}  // namespace

TEST_CASE("a socket may have any name that a file may have") {
  ScriptedPeer peer;
  peer.list = list_nothing;
  for (const char* const name : {"a%41", "a?b", "a#b", "a b", "a:b", "\xc3\xa4", "/double"}) {
    CAPTURE(name);
    const std::string link = peer.path(name);
    std::filesystem::create_symlink(peer.socket(), link);
    const auto listed = list_at(peer, link);
    CHECK_MESSAGE(listed.ending == exited(0), listed.err);
  }
}

TEST_CASE("a socket may be an abstract one") {
  const std::string name = "perch-peer-test-" + std::to_string(::getpid()) + "?";
  ScriptedPeer peer("unix-abstract:" + name.substr(0, name.size() - 1) + "%3F");
  peer.list = list_nothing;
  const auto listed = list_at(peer, "@" + name);
  CHECK_MESSAGE(listed.ending == exited(0), listed.err);
}

TEST_CASE("who may not use a socket is told at once") {
  if (!have(is_root(), "needs root: setpriv")) return;
  ScriptedPeer peer;
  REQUIRE(::chmod(peer.socket().c_str(), 0660) == 0);
  REQUIRE(::chown(peer.socket().c_str(), kNobody, kNobody) == 0);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"ls"}, {"get", "http://origin.example/data", "-O", "-"}}) {
    CAPTURE(words.front());
    Command command = peer.client(words);
    command.argv.insert(command.argv.begin(),
                        {"setpriv", "--bounding-set=-dac_override,-dac_read_search"});
    const auto told = run(command);
    CHECK(told.ending == exited(3));
    CHECK(told.err.ends_with("connect " + peer.socket() + ": Permission denied\n"));
  }
}

}  // namespace perch::test
