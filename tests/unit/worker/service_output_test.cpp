// SPDX-License-Identifier: Apache-2.0
// The files that callers ask for at a path: what is refused, and what is left when things go wrong.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "common/posix/file.h"
#include "tests/support/requirement.h"
#include "tests/unit/worker/service_scene.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

// A directory for output files, and what is in it.
class OutputDirectory {
 public:
  explicit OutputDirectory(const PeerWorld& world) : path_(world.path("output")) {
    fs::create_directory(path_);
    fs::permissions(path_, fs::perms::all);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] std::set<std::string> names() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(path_)) names.insert(entry.path().filename());
    return names;
  }
  [[nodiscard]] bool has_nameless_files() const {
    return open_file(path_, O_WRONLY | O_TMPFILE, 0600).has_value();
  }

 private:
  std::string path_;
};

common::v2::Download file_at(const std::string& url, const std::string& path) {
  common::v2::Download request;
  request.set_url(url);
  request.set_output_path(path);
  request.set_overwrite(true);
  return request;
}

}  // namespace

TEST_CASE("a peer that is killed leaves nothing beside the path that it was to write") {
  const OriginServer origin({"--rate", "8000000"});
  const PeerWorld world;
  const OutputDirectory output(world);
  if (!have(output.has_nameless_files(), "needs a file system with O_TMPFILE")) return;
  const auto peer = world.start_peer();
  Process caller({.argv = {from_build("CALL_AS"), "0", world.socket(),
                           origin.url("/data?size=80000000"), output.path("file")}});
  REQUIRE(wait_until([&] { return world.stored_pieces() >= 1; }));
  peer->kill();
  CHECK(output.names().empty());
}

TEST_CASE("a file at a path replaces what is there, a hard link of the same data too") {
  const OriginServer origin;
  const PeerWorld world;
  const OutputDirectory output(world);
  const auto peer = world.start_peer();
  auto request = file_at(origin.url("/data?size=9000000"), output.path("file"));
  for (const bool hard_link : {false, false, true, true, false}) {
    request.set_force_hard_link(hard_link);
    REQUIRE(download(world.connect(), request).status.ok());
    CHECK(output.names() == std::set<std::string>{"file"});
    CHECK(fs::hard_link_count(output.path("file")) == (hard_link ? 2 : 1));
  }
  CHECK(sha256_of(output.path("file")) == origin.sha256_of("/data?size=9000000"));
}

TEST_CASE("a path that cannot become a file is refused before anything is downloaded") {
  const OriginServer origin;
  const PeerWorld world;
  const OutputDirectory output(world);
  const auto peer = world.start_peer();
  REQUIRE(::mkfifo(output.path("fifo").c_str(), 0666) == 0);
  fs::create_directory(output.path("directory"));
  const auto answer = [&](const std::string& name) {
    const auto request = file_at(origin.url("/data?size=1000"), output.path(name));
    return download(world.connect(), request).status.error_code();
  };
  CHECK(answer("fifo") == grpc::ALREADY_EXISTS);
  CHECK(answer("directory") == grpc::INVALID_ARGUMENT);
  CHECK(answer("..") == grpc::INVALID_ARGUMENT);
  CHECK(origin.stats()["requests"] == 0);
  CHECK(fs::is_fifo(output.path("fifo")));
}

TEST_CASE("a file longer than the store may hold is refused for good") {
  const OriginServer origin;
  const PeerWorld world;
  const auto peer = world.start_peer({"--store-max", "1KiB"});
  common::v2::Download request;
  request.set_url(origin.url("/data?size=2000"));
  const auto status = download(world.connect(), request).status;
  CHECK(status.error_code() == grpc::FAILED_PRECONDITION);
  CHECK(status.error_message().contains("--store-max is 1024"));
}

TEST_CASE("root without CAP_SETUID writes for nobody else, and lives") {
  if (!have(is_root(), "needs root: another user's calls")) return;
  if (!have(is_installed("setpriv"), "needs setpriv (util-linux)")) return;
  const OriginServer origin;
  const PeerWorld world;  // its directory; the peer has a socket of its own there
  const OutputDirectory output(world);
  const std::string socket = world.path("alone.sock");
  Process peer({.argv = {"setpriv", "--bounding-set", "-setuid", from_build("PERCH_PEER"), "serve",
                         "--store", world.path("store"), "--socket", socket}});
  REQUIRE(wait_until([&] { return fs::exists(socket); }));
  open_to_all(world);
  fs::permissions(socket, fs::perms::all);
  const std::string url = origin.url("/data?size=1000");
  const auto call = run({.argv = {from_build("CALL_AS"), std::to_string(kOther), socket, url,
                                  output.path("theirs")}});
  CHECK(call.out.starts_with(std::to_string(grpc::PERMISSION_DENIED) + " "));
  // Its own user's files are no matter of rights.
  const auto own = run({.argv = {from_build("CALL_AS"), "0", socket, url, output.path("ours")}});
  CHECK(own.out.starts_with(std::to_string(grpc::OK) + " "));
  CHECK(output.names() == std::set<std::string>{"ours"});
  peer.signal(SIGTERM);
  CHECK(peer.wait() == exited(0));
}

}  // namespace perch::test
