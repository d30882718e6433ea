// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "tests/unit/listener/scene.h"

namespace perch::listener {
namespace {

constexpr uid_t kSomebody = 4321;
constexpr uid_t kSomebodyElse = 5432;

}  // namespace

TEST_CASE("a live owner of any kind keeps its socket") {
  const Scene scene;
  const auto path = scene / "api.sock";
  UniqueFd owner;
  std::vector<UniqueFd> clients;
  SUBCASE("listening") { owner = listen_socket(path); }
  SUBCASE("listening with a full backlog") {
    owner = listen_socket(path, 0);
    clients.push_back(bind_socket(scene / "client"));
    REQUIRE(try_connect(path) == 0);
    REQUIRE(try_connect(path) == EAGAIN);
  }
  SUBCASE("bound, not yet listening") { owner = bind_socket(path); }
  SUBCASE("shut down") {
    owner = listen_socket(path);
    REQUIRE(::shutdown(owner.get(), SHUT_RDWR) == 0);
    REQUIRE(try_connect(path) == ECONNREFUSED);
  }
  SUBCASE("datagram") { owner = bind_socket(path, SOCK_DGRAM); }
  SUBCASE("seqpacket") { owner = bind_socket(path, SOCK_SEQPACKET); }
  const auto before = inode_of(path);
  const auto said = try_claim(request_for(path));
  CHECK(contains(said, "owned: a live socket (pid " + std::to_string(::getpid()) + ", "));
  CHECK(inode_of(path) == before);
  CHECK(inode_of(scene / ".api.sock.perch") == 0);
}

TEST_CASE("a live owner is not bothered with a connection") {
  const Scene scene;
  const auto owner = listen_socket(scene / "api.sock");
  REQUIRE(contains(try_claim(request_for(scene / "api.sock")), "owned: "));
  CHECK(::accept4(owner.get(), nullptr, nullptr, SOCK_CLOEXEC) == -1);
  CHECK(errno == EAGAIN);
}

TEST_CASE("what is not a socket is refused by its kind and stays untouched") {
  const Scene scene;
  const auto path = scene / "api.sock";
  std::string kind;
  SUBCASE("regular file") {
    write_text(path, "precious");
    kind = "a regular file";
  }
  SUBCASE("directory") {
    REQUIRE(::mkdir(path.c_str(), 0755) == 0);
    kind = "a directory";
  }
  SUBCASE("FIFO") {
    REQUIRE(::mkfifo(path.c_str(), 0644) == 0);
    kind = "a FIFO";
  }
  SUBCASE("symbolic link to a stale socket") {
    leave_stale_socket(scene / "target");
    REQUIRE(::symlink("target", path.c_str()) == 0);
    kind = "a symbolic link";
  }
  SUBCASE("dangling symbolic link") {
    REQUIRE(::symlink("nowhere", path.c_str()) == 0);
    kind = "a symbolic link";
  }
  const auto before = look_at(path);
  const bool target_before = inode_of(scene / "target") != 0;
  CHECK(contains(try_claim(request_for(path)), "refused: " + path + " is " + kind + ", "));
  const auto after = look_at(path);
  REQUIRE(after.has_value());
  CHECK(after->st_ino == before->st_ino);
  CHECK(after->st_mode == before->st_mode);
  CHECK(after->st_mtime == before->st_mtime);
  CHECK((inode_of(scene / "target") != 0) == target_before);
  CHECK(inode_of(scene / "nowhere") == 0);
}

TEST_CASE("a missing directory is named, with what to do") {
  const Scene scene;
  const auto path = scene / "missing/api.sock";
  CHECK(try_claim(request_for(path)) ==
        "error: claim " + path + ": directory " + scene.directory() +
            "/missing does not exist: create it, or mount it there");
}

TEST_CASE("a parent that is a file is named") {
  const Scene scene;
  write_text(scene / "file", "");
  CHECK(contains(try_claim(request_for(scene / "file/api.sock")), "/file is not a directory"));
}

TEST_CASE("a directory that cannot be written is named, with who needs to") {
  const Scene scene;
  REQUIRE(::chmod(scene.directory().c_str(), 0755) == 0);
  const auto said = try_claim_as(kSomebody, request_for(scene / "api.sock"));
  CHECK(contains(said, "error: claim " + (scene / "api.sock") + ": create " +
                           (scene / ".api.sock.lock") +
                           " as uid 4321: Permission denied; let perch's user write"));
}

TEST_CASE("a path that names a directory or does not fit a socket address is refused") {
  const Scene scene;
  CHECK(contains(try_claim(request_for(scene.directory() + "/")), "refused: "));
  CHECK(contains(try_claim(request_for(scene / "..")), "names a directory"));
  const auto path = scene / std::string(108 - scene.directory().size() - 1, 'x');
  const auto said = try_claim(request_for(path));
  CHECK(contains(said, "refused: socket path " + path + " has 108 bytes and the kernel takes 107"));
  CHECK(std::filesystem::is_empty(scene.directory()));
}

TEST_CASE(
    "in a sticky directory one's own stale socket is replaced, another's is refused and stays") {
  const Scene scene;
  const auto path = scene / "api.sock";
  REQUIRE(::chmod(scene.directory().c_str(), 01777) == 0);
  leave_stale_socket(path);
  REQUIRE(::chmod(path.c_str(), 0777) == 0);
  REQUIRE(::chown(path.c_str(), kSomebody, kSomebody) == 0);
  SUBCASE("one's own") { CHECK(try_claim_as(kSomebody, request_for(path)) == "claimed"); }
  SUBCASE("another's") {
    const auto before = inode_of(path);
    const auto said = try_claim_as(kSomebodyElse, request_for(path));
    CHECK(contains(said, "refused: " + path + " is a stale socket of uid 4321"));
    CHECK(inode_of(path) == before);
    CHECK(inode_of(scene / ".api.sock.perch") == 0);
  }
}

TEST_CASE("a socket that may not be probed counts as owned") {
  const Scene scene;
  const auto path = scene / "api.sock";
  REQUIRE(::chmod(scene.directory().c_str(), 0777) == 0);
  leave_stale_socket(path);
  REQUIRE(::chmod(path.c_str(), 0700) == 0);
  const auto said = try_claim_as(kSomebody, request_for(path));
  CHECK(contains(said, "owned: a socket that may be live ("));
  CHECK(contains(said, "Permission denied"));
}

TEST_CASE("a lock of another user is refused by its owner's name") {
  const Scene scene;
  REQUIRE(::chmod(scene.directory().c_str(), 0777) == 0);
  {
    const auto listener = must_claim(request_for(scene / "api.sock"));
  }
  const auto said = try_claim_as(kSomebody, request_for(scene / "api.sock"));
  CHECK(contains(said, "refused: lock " + (scene / ".api.sock.lock") + " belongs to uid 0 and"));
}

TEST_CASE("a lock name that is no regular file is refused, not followed and not removed") {
  const Scene scene;
  const auto lock = scene / ".api.sock.lock";
  UniqueFd live;
  SUBCASE("symbolic link") { REQUIRE(::symlink("elsewhere", lock.c_str()) == 0); }
  SUBCASE("FIFO") { REQUIRE(::mkfifo(lock.c_str(), 0644) == 0); }
  SUBCASE("directory") { REQUIRE(::mkdir(lock.c_str(), 0755) == 0); }
  SUBCASE("socket") { live = listen_socket(lock); }
  const auto before = inode_of(lock);
  CHECK(contains(try_claim(request_for(scene / "api.sock")), "is not a regular file: remove it"));
  CHECK(inode_of(lock) == before);
  CHECK(inode_of(scene / "elsewhere") == 0);
}

TEST_CASE("a left-over lock file of a dead perch is taken, one that is held is not") {
  const Scene scene;
  const auto lock = scene / ".api.sock.lock";
  write_text(lock, "77777 and some nonsense\n");
  const auto before = inode_of(lock);
  const UniqueFd other(::open(lock.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::flock(other.get(), LOCK_EX) == 0);
  CHECK(try_claim(request_for(scene / "api.sock")) == "owned: another perch (pid 77777)");
  REQUIRE(::flock(other.get(), LOCK_UN) == 0);
  const auto listener = must_claim(request_for(scene / "api.sock"));
  CHECK(inode_of(lock) == before);
  CHECK(read_text(lock) == std::to_string(::getpid()) + "\n");
}

TEST_CASE("the lock keeps the path even when the socket file has gone") {
  const Scene scene;
  const auto path = scene / "api.sock";
  const auto listener = must_claim(request_for(path));
  REQUIRE(::unlink(path.c_str()) == 0);
  CHECK(contains(try_claim(request_for(path)), "owned: another perch"));
}

}  // namespace perch::listener
