// SPDX-License-Identifier: Apache-2.0
// Clients who mean harm: each gets a clear status, the peer lives on, and nothing is written where
// the caller could not write himself.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <set>
#include <sstream>

#include "common/posix/file.h"
#include "common/posix/unix_socket.h"
#include "tests/support/requirement.h"
#include "tests/unit/worker/service_scene.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

void give_to_other(const std::string& path) {
  REQUIRE(::lchown(path.c_str(), kOther, kOther) == 0);
}

// Directories of ours and of another user, who has laid traps in his.
void lay_traps(const PeerWorld& world) {
  for (const char* name : {"ours", "theirs", "sticky", "theirs/directory"}) {
    fs::create_directory(world.path(name));
  }
  fs::permissions(world.path("sticky"), fs::perms::all | fs::perms::sticky_bit);
  for (const char* name : {"ours/victim", "sticky/victim", "theirs/victim_of_ours"}) {
    write_text(world.path(name), "untouched");
  }
  fs::permissions(world.path("theirs/victim_of_ours"), fs::perms::owner_read);
  REQUIRE(::mkfifo(world.path("theirs/fifo").c_str(), 0666) == 0);
  fs::create_symlink(world.path("ours/victim"), world.path("theirs/link_to_victim"));
  fs::create_symlink(world.path("ours"), world.path("theirs/link_to_ours"));
  const auto address = unix_address(world.path("theirs/socket"));
  const auto socket = unix_socket(SOCK_STREAM, Blocking::No);
  REQUIRE(::bind(socket->get(), address->get(), address->size) == 0);
  for (const char* name : {"theirs", "theirs/directory", "theirs/fifo", "theirs/socket"}) {
    give_to_other(world.path(name));
  }
}

std::string content(const std::string& path) { return read_file(path, 100).value_or("gone"); }

std::set<std::string> names_in(const std::string& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.insert(entry.path().filename());
  return names;
}

// What OK and each refusal may be; no UNKNOWN and no INTERNAL, and nothing that took its time.
bool is_clear(const std::string& line) {
  std::istringstream words(line);
  int code = -1;
  std::string text;
  words >> code;
  std::getline(words >> std::ws, text);
  const std::set<int> clear{grpc::OK,
                            grpc::INVALID_ARGUMENT,
                            grpc::DEADLINE_EXCEEDED,
                            grpc::NOT_FOUND,
                            grpc::ALREADY_EXISTS,
                            grpc::PERMISSION_DENIED,
                            grpc::RESOURCE_EXHAUSTED,
                            grpc::FAILED_PRECONDITION,
                            grpc::OUT_OF_RANGE,
                            grpc::UNIMPLEMENTED,
                            grpc::DATA_LOSS};
  return clear.contains(code) && (code == grpc::OK || !text.empty());
}

}  // namespace

TEST_CASE("200 hostile requests get a clear status each and write nothing the caller could not") {
  if (!have(is_root(), "needs root: another user's calls")) return;
  const OriginServer origin;
  const PeerWorld world;
  lay_traps(world);
  const auto peer = world.start_peer();
  open_to_all(world);
  const auto calls =
      run({.argv = {from_build("HOSTILE_CALLS"), std::to_string(kOther), world.socket(),
                    origin.url("/data?size=1000"), world.path("."), "200"}});
  REQUIRE(calls.ending == exited(0));
  std::istringstream lines(calls.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) CHECK_MESSAGE(is_clear(line), line);
  CHECK(count == 200);
  CHECK(serves(world));

  CHECK(content(world.path("ours/victim")) == "untouched");
  CHECK(content(world.path("sticky/victim")) == "untouched");
  CHECK(names_in(world.path("ours")) == std::set<std::string>{"victim"});
  CHECK(names_in(world.path("sticky")) == std::set<std::string>{"victim"});
  CHECK(fs::is_directory(world.path("theirs/directory")));
  // What he could replace himself may be replaced, and is his own then; nothing half-done is left.
  for (const auto& entry : fs::directory_iterator(world.path("theirs"))) {
    CHECK_MESSAGE(entry.path().string().find(".perch-") == std::string::npos, entry.path());
    struct stat status{};
    REQUIRE(::lstat(entry.path().c_str(), &status) == 0);
    if (S_ISREG(status.st_mode) && status.st_size == 1000) CHECK(status.st_uid == kOther);
  }
}

TEST_CASE("bytes that are no HTTP/2 end their connection and nothing else") {
  const PeerWorld world;
  const auto peer = world.start_peer({"--idle-timeout", "1"});
  std::mt19937_64 random(7);
  std::vector<std::string> beginnings{
      std::string(100'000, 'A'),
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM",
      h2_greeting() + h2_frame(1, 4, 1, std::string(50, '\xff')),     // no HPACK
      h2_greeting() + h2_frame(1, 0, 1, "") + h2_frame(9, 0, 1, ""),  // headers without an end
      h2_greeting() + h2_frame(0, 1, 5, "data of no stream"),         //
      h2_greeting() + h2_frame(4, 0, 0, std::string(5, '\0')),        // settings cut short
      h2_greeting() + h2_frame(8, 0, 0, std::string(4, '\0')),        // a window of nothing
      h2_greeting() + std::string("\xff\xff\xff\0\0\0\0\0\1", 9),     // 16 MiB are announced
      h2_greeting() + h2_frame(6, 0, 0, "seven b"),                   // a ping of 7 bytes
  };
  for (int i = 0; i < 20; ++i) {
    std::string noise = i % 2 == 0 ? h2_greeting() : "";
    for (int n = 0; n < 300; ++n) noise.push_back(static_cast<char>(random()));
    beginnings.push_back(noise);
  }
  std::vector<RawClient> clients;
  for (const std::string& bytes : beginnings) clients.emplace_back(world).send(bytes);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    CHECK_MESSAGE(clients[i].read_to_end().has_value(), "beginning " << i);
  }
  CHECK(serves(world));
}

}  // namespace perch::test
