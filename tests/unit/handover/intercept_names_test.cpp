// SPDX-License-Identifier: Apache-2.0
// What daemons do to the path and the listener beside binding it: delete, rename, probe, listen,
// shut down, chmod. What would hurt has no effect; what is not about a listener is done.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

#include "common/posix/fd_passing.h"
#include "common/posix/unix_socket.h"
#include "supervisor/listener/unix_diag.h"
#include "tests/unit/handover/intercept_scene.h"

namespace perch::test {
namespace {

struct Seen {
  ino_t inode;
  std::array<int, 8> values;
};

ino_t file_of(const std::string& path) {
  struct stat found{};
  return ::lstat(path.c_str(), &found) == 0 ? found.st_ino : 0;
}

mode_t mode_of(const std::string& path) {
  struct stat found{};
  return ::lstat(path.c_str(), &found) == 0 ? found.st_mode & 07777U : 0;
}

}  // namespace

TEST_CASE("the path survives every way of deleting it or renaming it to elsewhere") {
  InterceptScene scene;
  const std::string path = scene.path();
  const std::string other = scene.path("other");
  const ino_t file = file_of(path);
  const Shared<Seen> seen;
  CHECK(scene.run([&] {
    const int directory = ::open(scene.directory().c_str(), O_PATH | O_DIRECTORY);
    seen->values[0] = worker::outcome(::unlink(path.c_str()));
    seen->values[1] = worker::outcome(::unlinkat(directory, "api.sock", 0));
    seen->values[2] = worker::outcome(::rename(path.c_str(), other.c_str()));
    seen->values[3] = worker::outcome(::renameat(directory, "api.sock", AT_FDCWD, other.c_str()));
    seen->values[4] =
        worker::outcome(::renameat2(directory, "api.sock", directory, "other", RENAME_NOREPLACE));
    return 0;
  }) == 0);
  for (const int value : seen->values) CHECK(value == 0);
  CHECK(file_of(path) == file);
  CHECK(file_of(other) == 0);
  CHECK(scene.counts.unlinks == 2);
  CHECK(scene.counts.renames == 3);
}

TEST_CASE("a socket bound to a temporary name and renamed to the path is the listener") {
  InterceptScene scene;
  const std::string path = scene.path();
  const std::string temporary = path + ".12.tmp";
  const std::string backup = path + ".12.bak";
  const ino_t file = file_of(path);
  const Shared<Seen> seen;
  CHECK(scene.run([&] {  // as haproxy does
    seen->values[0] = worker::outcome(::link(path.c_str(), backup.c_str()));
    const int socket = worker::bound(temporary);
    ::chmod(temporary.c_str(), 0600);
    seen->values[1] = worker::outcome(::rename(temporary.c_str(), path.c_str()));
    seen->values[2] = worker::outcome(::unlink(backup.c_str()));
    seen->values[3] = worker::outcome(::listen(socket, 10));
    seen->inode = inode_of(socket);
    return 0;
  }) == 0);
  for (const int value : seen->values) CHECK(value == 0);
  CHECK(seen->inode == scene.inode());
  CHECK(file_of(path) == file);
  CHECK(file_of(temporary) == 0);
  CHECK(file_of(backup) == 0);
  CHECK(scene.counts.bound == 1);
  CHECK(scene.bound_calls == 1);
  CHECK(scene.troubles.empty());
}

TEST_CASE("temporary names of the same spelling in two directories are told apart") {
  InterceptScene scene(std::vector<std::string>{});
  for (const char* name : {"a", "b"}) {
    std::filesystem::create_directory(scene.path(name));
    scene.add(scene.path(name) + "/api.sock");
  }
  const Shared<Seen> seen;
  CHECK(scene.run([&] {
    const std::array<int, 2> sockets{worker::bound(scene.path("a/tmp")),
                                     worker::bound(scene.path("b/tmp"))};
    for (const std::string name : {"a", "b"}) {
      const std::string directory = scene.path(name);
      if (::rename((directory + "/tmp").c_str(), (directory + "/api.sock").c_str()) != 0) return 1;
    }
    seen->values[0] = inode_of(sockets[0]) == scene.inode(0) ? 1 : 2;
    seen->values[1] = inode_of(sockets[1]) == scene.inode(1) ? 1 : 2;
    return 0;
  }) == 0);
  CHECK(seen->values[0] == 1);
  CHECK(seen->values[1] == 1);
}

TEST_CASE("a temporary name is known from within its directory, too") {
  InterceptScene scene;
  const Shared<Seen> seen;
  CHECK(scene.run([&] {
    if (::chdir(scene.directory().c_str()) != 0) return 1;
    const int socket = worker::bound("tmp");
    if (::rename(scene.path("tmp").c_str(), "api.sock") != 0) return 2;
    return inode_of(socket) == scene.inode() ? 0 : 3;
  }) == 0);
}

TEST_CASE("nothing else is renamed over the path, and that is told") {
  const std::array<const char*, 4> kinds{"file", "foreign", "child's", "datagram"};
  for (const std::string kind : kinds) {
    CAPTURE(kind);
    InterceptScene scene;
    const std::string other = scene.path("other");
    const ino_t file = file_of(scene.path());
    UniqueFd foreign;
    if (kind == "file") write_text(other, "x");
    if (kind == "foreign") foreign = listening_at(other);
    CHECK(scene.run([&] {
      if (kind == "datagram") worker::bound(other, SOCK_DGRAM);
      const pid_t child = kind == "child's" ? ::fork() : -1;
      if (child == 0) ::_exit(worker::bound(other) < 0 ? 1 : 0);
      if (child > 0) ::waitpid(child, nullptr, 0);
      return worker::outcome(::rename(other.c_str(), scene.path().c_str()));
    }) == EPERM);
    CHECK(file_of(scene.path()) == file);
    CHECK(file_of(other) != 0);
    CHECK(scene.counts.refused == 1);
    CHECK(scene.counts.bound == 0);
    REQUIRE_FALSE(scene.troubles.empty());
    CHECK(scene.troubles.back().find("renames " + other + " over " + scene.path()) !=
          std::string::npos);
  }
}

TEST_CASE("a rename of what is not there fails as it does without perch") {
  InterceptScene scene;
  CHECK(scene.run([&] {
    return worker::outcome(
        ::rename((scene.directory() + "/missing/x").c_str(), scene.path().c_str()));
  }) == ENOENT);
}

TEST_CASE("a socket that was closed since its bind is not taken for another at its number") {
  InterceptScene scene;
  const Shared<Seen> seen;
  CHECK(scene.run([&] {
    const std::string other = scene.path("other");
    const int socket = worker::bound(other);
    ::close(socket);
    const int next = worker::make();
    seen->values[0] = next == socket ? 0 : 1;
    seen->values[1] = worker::outcome(::rename(other.c_str(), scene.path().c_str()));
    seen->values[2] = inode_of(next) == scene.inode() ? 1 : 0;
    return 0;
  }) == 0);
  CHECK(seen->values == std::array{0, EPERM, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("shutdown has no effect on the listener, whatever descriptor it is asked of") {
  InterceptScene scene;
  const Shared<Seen> seen;
  CHECK(scene.run([&] {
    const int socket = worker::bound(scene.path());
    seen->values[0] = worker::outcome(::shutdown(socket, SHUT_RDWR));
    seen->values[1] = worker::outcome(::shutdown(::dup(socket), SHUT_RD));
    const pid_t child = ::fork();
    if (child == 0) ::_exit(worker::outcome(::shutdown(socket, SHUT_RDWR)));
    int status = -1;
    ::waitpid(child, &status, 0);
    seen->values[2] = status;
    seen->values[3] = worker::connect(scene.path());
    return 0;
  }) == 0);
  for (const int value : seen->values) CHECK(value == 0);
  CHECK(scene.counts.shutdowns == 3);
  CHECK(worker::connect(scene.path()) == 0);
}

TEST_CASE("listening again changes neither the backlog nor whom clients see") {
  InterceptScene scene;
  CHECK(scene.run([&] {
    const int socket = worker::bound(scene.path());
    return worker::outcome(::listen(socket, 1)) + worker::outcome(::listen(socket, 2));
  }) == 0);
  CHECK(scene.counts.listens == 2);
  if (const auto depth = listener::query_queue_depth(scene.listener())) CHECK(depth->backlog == 64);
  auto client = unix_connect(scene.path(), SOCK_STREAM, Blocking::Yes);
  REQUIRE(client);
  const auto peer = peer_credentials(client->get());
  REQUIRE(peer);
  CHECK(peer->pid == ::getpid());
}

TEST_CASE("where the worker is to be its clients' peer, it listens itself") {
  InterceptScene scene;
  scene.settings.targets[0].worker_listens = true;
  const Shared<Seen> seen;
  CHECK(scene.run([&] {
    seen->values[0] = ::getpid();
    const int socket = worker::bound(scene.path());
    return worker::outcome(::listen(socket, 7));
  }) == 0);
  CHECK(scene.counts.listens == 0);
  auto client = unix_connect(scene.path(), SOCK_STREAM, Blocking::Yes);
  REQUIRE(client);
  const auto peer = peer_credentials(client->get());
  REQUIRE(peer);
  CHECK(peer->pid == seen->values[0]);
}

TEST_CASE("who looks for a live owner before it binds finds none, and perch's listener after") {
  InterceptScene scene;
  const Shared<Seen> seen;
  const auto probe_and_bind = [&] {
    seen->values[0] = worker::connect(scene.path());
    seen->values[1] = worker::bound(scene.path()) < 0 ? 1 : 0;
    seen->values[2] = worker::connect(scene.path());
    return 0;
  };
  CHECK(scene.run(probe_and_bind) == 0);
  CHECK(seen->values == std::array{ECONNREFUSED, 0, 0, 0, 0, 0, 0, 0});
  CHECK(scene.counts.probes == 1);

  scene.settings.probe_guard = scene.plan.probe_guard = false;
  CHECK(scene.run(probe_and_bind) == 0);
  CHECK(seen->values[0] == 0);
  CHECK(scene.counts.probes == 0);
}

TEST_CASE("each listener's probes are refused until it is bound; all are bound once all are") {
  InterceptScene scene({"api.sock", "admin.sock"});
  const Shared<Seen> seen;
  CHECK(scene.run([&] {
    seen->values[0] = worker::bound(scene.path()) < 0 ? 1 : 0;
    seen->values[1] = worker::connect(scene.path());
    seen->values[2] = worker::connect(scene.path("admin.sock"));
    return 0;
  }) == 0);
  CHECK(seen->values == std::array{0, 0, ECONNREFUSED, 0, 0, 0, 0, 0});
  CHECK_FALSE(scene.interceptor->all_bound());
  CHECK(scene.bound_calls == 0);

  CHECK(scene.run([&] {
    worker::bound(scene.path("admin.sock"));
    worker::bound(scene.path());
    worker::bound(scene.path());
    return 0;
  }) == 0);
  CHECK(scene.interceptor->all_bound());
  CHECK(scene.counts.bound == 3);
  CHECK(scene.bound_calls == 1);
}

TEST_CASE("the configured mode stands, and without one the daemon's does") {
  for (const bool mode_is_set : {true, false}) {
    CAPTURE(mode_is_set);
    InterceptScene scene;
    scene.settings.targets[0].mode_is_set = mode_is_set;
    REQUIRE(::chmod(scene.path().c_str(), 0600) == 0);
    CHECK(scene.run([&] {
      if (::chdir(scene.directory().c_str()) != 0) return 1;
      return worker::outcome(::chmod(scene.path().c_str(), 0777)) +
             worker::outcome(::fchmodat(AT_FDCWD, "api.sock", 0777, 0));
    }) == 0);
    CHECK(mode_of(scene.path()) == (mode_is_set ? 0600 : 0777));
    CHECK(scene.counts.chmods == (mode_is_set ? 2 : 0));
  }
}

TEST_CASE("the removal of a directory of the listener's name is the kernel's to answer") {
  InterceptScene scene;
  CHECK(scene.run([&] { return worker::outcome(::rmdir(scene.path().c_str())); }) == ENOTDIR);
  CHECK(scene.run([&] {
    return worker::outcome(::unlinkat(AT_FDCWD, scene.path().c_str(), AT_REMOVEDIR));
  }) == ENOTDIR);
}

}  // namespace perch::test
