// SPDX-License-Identifier: Apache-2.0
// Whose rights a file at an output path is written with, where the peer has root's and where not.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/requirement.h"
#include "tests/unit/worker/service_scene.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kThird = 12346;
constexpr uid_t kNobody = 65534;
constexpr std::string_view kDone = "0 0 bytes\n";
constexpr std::string_view kStreamed = "0 1000000 bytes\n";

// A directory of ours and one of another user's, who can connect.
struct Scene {
  Scene() {
    open_to_all(world);
    fs::create_directory(world.path("ours"));
    fs::create_directory(world.path("theirs"));
    REQUIRE(::chown(world.path("theirs").c_str(), kOther, kOther) == 0);
  }
  // What CALL_AS prints.
  [[nodiscard]] std::string call_as(uid_t user, const std::string& output,
                                    const std::vector<std::string>& more = {}) const {
    Command command{.argv = {from_build("CALL_AS"), std::to_string(user), world.socket(),
                             origin.url("/data?size=1000000"), output}};
    command.argv.insert(command.argv.end(), more.begin(), more.end());
    return run(command).out;
  }

  OriginServer origin;
  PeerWorld world;
};

bool is_denied(const std::string& answer, const std::string& reason) {
  return answer == "7 0 bytes: output_path: " + reason + ": Operation not permitted\n";
}

uid_t owner_of(const std::string& path) {
  struct stat status{};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_uid;
}

}  // namespace

TEST_CASE("a caller's output is written with the caller's rights") {
  if (!have(is_root(), "needs root: another user's call")) return;
  const Scene scene;
  const auto peer = scene.world.start_peer();
  CHECK(scene.call_as(kOther, scene.world.path("theirs/file")) == kDone);
  CHECK(owner_of(scene.world.path("theirs/file")) == kOther);
  CHECK(scene.call_as(kOther, scene.world.path("ours/file")).starts_with("7 "));
  CHECK(scene.call_as(kOther, scene.world.path("theirs/link"), {"hard_link"}).starts_with("7 "));
  CHECK(fs::is_empty(scene.world.path("ours")));
}

TEST_CASE("a peer that is not root writes files for its own user, and streams to everybody") {
  if (!have(is_root(), "needs root: another user's peer")) return;
  const Scene scene;
  const auto peer = scene.world.start_peer_as(kOther);
  CHECK(scene.call_as(kOther, scene.world.path("theirs/file")) == kDone);
  CHECK(owner_of(scene.world.path("theirs/file")) == kOther);
  for (const uid_t user : {kThird, uid_t{0}}) {
    CHECK(is_denied(scene.call_as(user, scene.world.path("theirs/other")),
                    "act for user " + std::to_string(user) + " without being root"));
    CHECK(scene.call_as(user, "-") == kStreamed);
  }
  CHECK_FALSE(fs::exists(scene.world.path("theirs/other")));
}

TEST_CASE("a user that has no id here gets no file written, and the contents in the stream") {
  if (!have(is_root(), "needs root: another user's call")) return;
  const Scene scene;
  fs::permissions(scene.world.path("theirs"), fs::perms::all);
  const auto peer = scene.world.start_peer();
  CHECK(is_denied(scene.call_as(kNobody, scene.world.path("theirs/file")),
                  "act for a user that has no id here"));
  CHECK(scene.call_as(kNobody, "-") == kStreamed);
  CHECK(fs::is_empty(scene.world.path("theirs")));
}

}  // namespace perch::test
