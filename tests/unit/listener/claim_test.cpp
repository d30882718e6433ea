// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/claim.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "tests/unit/listener/scene.h"

namespace perch::listener {
namespace {

std::size_t entries(const std::string& directory) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(directory), {}));
}

// A perch that was killed: its path, spare link and lock stay, its socket and flock do not.
void claim_and_die(const std::string& path) {
  Process perch([&] {
    const auto listener = must_claim(request_for(path));
    return ::raise(SIGKILL);
  });
  REQUIRE(perch.wait() == 128 + SIGKILL);
}

}  // namespace

TEST_CASE("a free path is bound, listens and gets a lock and a spare link") {
  const Scene scene;
  const auto path = scene / "api.sock";
  const auto listener = must_claim(request_for(path));
  CHECK(listener.parts().claimed == ClaimedAs::Bound);
  CHECK(listener.parts().healable);
  CHECK(listener.inode() == inode_of(path));
  CHECK(inode_of(scene / ".api.sock.perch") == inode_of(path));
  CHECK(read_text(scene / ".api.sock.lock") == std::to_string(::getpid()) + "\n");
  CHECK(try_connect(path) == 0);
  CHECK(entries(scene.directory()) == 3);
}

TEST_CASE(
    "the socket's own name is the configured path, close-on-exec and non-blocking from birth") {
  const Scene scene;
  const auto path = scene / "api.sock";
  const auto listener = must_claim(request_for(path));
  sockaddr_un name{};
  socklen_t size = sizeof name;
  REQUIRE(::getsockname(listener.fd(), reinterpret_cast<sockaddr*>(&name), &size) == 0);
  CHECK(std::string(name.sun_path) == path);
  CHECK((::fcntl(listener.fd(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((::fcntl(listener.fd(), F_GETFL) & O_NONBLOCK) != 0);
}

TEST_CASE("a stale socket is replaced, with the rights asked for, and nothing else is left") {
  const Scene scene;
  const auto path = scene / "api.sock";
  leave_stale_socket(path);
  const UniqueFd old(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  const auto old_inode = inode_of(path);
  auto request = request_for(path);
  request.mode = 0620;
  request.uid = 1234;
  request.gid = 2345;
  const auto listener = must_claim(request);
  CHECK(listener.parts().claimed == ClaimedAs::ReplacedStale);
  CHECK(inode_of(path) != old_inode);
  CHECK(inode_of(path) == listener.inode());
  CHECK(inode_of(scene / ".api.sock.perch") == listener.inode());
  CHECK(look_at(path)->st_mode == (S_IFSOCK | 0620));
  CHECK(look_at(path)->st_uid == 1234);
  CHECK(look_at(path)->st_gid == 2345);
  CHECK(try_connect(path) == 0);
  CHECK(entries(scene.directory()) == 3);
}

TEST_CASE("without a mode the umask decides, with one it does not, and it is left as it was") {
  const Scene scene;
  const mode_t before = ::umask(027);
  const auto plain = must_claim(request_for(scene / "plain"));
  auto request = request_for(scene / "open");
  request.mode = 0777;
  const auto open = must_claim(request);
  CHECK(::umask(before) == 027);
  CHECK((look_at(scene / "plain")->st_mode & 07777) == 0750);
  CHECK((look_at(scene / "open")->st_mode & 07777) == 0777);
}

TEST_CASE("a second claim on the same path waits for the first, and takes it when that has ended") {
  const Scene scene;
  const auto path = scene / "api.sock";
  {
    const auto first = must_claim(request_for(path));
    CHECK(try_claim(request_for(path)) ==
          "owned: another perch (pid " + std::to_string(::getpid()) + ")");
    CHECK(inode_of(path) == first.inode());
    CHECK(try_connect(path) == 0);
  }
  CHECK(must_claim(request_for(path)).parts().claimed == ClaimedAs::ReplacedStale);
}

TEST_CASE("two paths in one directory do not know of each other") {
  const Scene scene;
  leave_stale_socket(scene / "a");
  leave_stale_socket(scene / "b");
  const auto a = must_claim(request_for(scene / "a"));
  const auto b = must_claim(request_for(scene / "b"));
  CHECK(try_connect(scene / "a") == 0);
  CHECK(try_connect(scene / "b") == 0);
}

TEST_CASE("after a perch was killed the next one reclaims path, spare link and lock") {
  const Scene scene;
  const auto path = scene / "api.sock";
  claim_and_die(path);
  REQUIRE(try_connect(path) == ECONNREFUSED);
  REQUIRE(inode_of(scene / ".api.sock.perch") == inode_of(path));
  const auto listener = must_claim(request_for(path));
  CHECK(listener.parts().claimed == ClaimedAs::ReplacedStale);
  CHECK(listener.parts().healable);
  CHECK(inode_of(scene / ".api.sock.perch") == listener.inode());
  CHECK(try_connect(path) == 0);
}

TEST_CASE("a spare link of a dead perch is replaced though the path itself is gone") {
  const Scene scene;
  const auto path = scene / "api.sock";
  claim_and_die(path);
  REQUIRE(::unlink(path.c_str()) == 0);
  const auto listener = must_claim(request_for(path));
  CHECK(listener.parts().claimed == ClaimedAs::Bound);
  CHECK(inode_of(scene / ".api.sock.perch") == listener.inode());
}

TEST_CASE("a spare name that is somebody else's is left alone, and the listener is not healable") {
  const Scene scene;
  const auto path = scene / "api.sock";
  const auto spare = scene / ".api.sock.perch";
  UniqueFd live;
  SUBCASE("a live socket") { live = listen_socket(spare); }
  SUBCASE("a regular file") { write_text(spare, "precious"); }
  const auto before = inode_of(spare);
  Warnings warnings;
  const auto outcome = claim(request_for(path), warnings);
  REQUIRE(outcome.has_value());
  CHECK_FALSE(std::get<Listener>(*outcome).parts().healable);
  CHECK(inode_of(spare) == before);
  REQUIRE(warnings.size() == 1);
  CHECK(contains(warnings[0], spare));
}

TEST_CASE("temporary names of a dead perch are removed, live ones and other files are not") {
  const Scene scene;
  const auto path = scene / "api.sock";
  claim_and_die(path);
  const auto prefix =
      scene / (".perch-" + std::to_string(inode_of(scene / ".api.sock.lock")) + "-");
  leave_stale_socket(prefix + "0");
  const auto live = listen_socket(prefix + "1");
  write_text(prefix + "2", "precious");
  leave_stale_socket(scene / ".perch-1-0");
  const auto listener = must_claim(request_for(path));
  CHECK(inode_of(prefix + "0") == 0);
  CHECK(try_connect(prefix + "1") == 0);
  CHECK(read_text(prefix + "2") == "precious");
  CHECK(inode_of(scene / ".perch-1-0") != 0);
}

TEST_CASE("the path's parent may be a symbolic link") {
  const Scene scene;
  REQUIRE(::mkdir((scene / "real").c_str(), 0755) == 0);
  REQUIRE(::symlink("real", (scene / "link").c_str()) == 0);
  const auto listener = must_claim(request_for(scene / "link/api.sock"));
  CHECK(try_connect(scene / "real/api.sock") == 0);
  CHECK(inode_of(scene / "real/.api.sock.perch") == listener.inode());
}

TEST_CASE("the longest path the kernel takes can be claimed, free and stale") {
  const Scene scene;
  const auto path = scene / std::string(107 - scene.directory().size() - 1, 'x');
  {
    const auto first = must_claim(request_for(path));
  }
  CHECK(must_claim(request_for(path)).parts().claimed == ClaimedAs::ReplacedStale);
}

TEST_CASE("where hard links do not work there is a listener, one warning, and no healing") {
  const Scene scene;
  const auto said = try_claim_without(
      {.syscall = SYS_linkat, .fifth_argument = std::nullopt, .error = EPERM},
      request_for(scene / "api.sock"),
      [](const Listener& listener) { return listener.parts().healable ? "healable" : "bare"; });
  CHECK(said.starts_with("claimed bare\nwarning: "));
  CHECK(contains(said, "Operation not permitted"));
  CHECK(said.find("warning", said.find("warning") + 1) == std::string::npos);
}

TEST_CASE("where names cannot be exchanged a stale socket is renamed over") {
  const Scene scene;
  leave_stale_socket(scene / "api.sock");
  const auto said = try_claim_without(
      {.syscall = SYS_renameat2, .fifth_argument = RENAME_EXCHANGE, .error = EINVAL},
      request_for(scene / "api.sock"), [&](const Listener& listener) {
        return inode_of(scene / "api.sock") == listener.inode() ? "in place" : "lost";
      });
  CHECK(said == "claimed in place");
  CHECK(entries(scene.directory()) == 3);
}

TEST_CASE("where names cannot be exchanged a listener that was shut down is claimed anew") {
  const Scene scene;
  const auto said = try_claim_without(
      {.syscall = SYS_renameat2, .fifth_argument = RENAME_EXCHANGE, .error = EINVAL},
      request_for(scene / "api.sock"), [&](Listener& old) {
        ::shutdown(old.fd(), SHUT_RDWR);
        Warnings warnings;
        const auto outcome = claim_anew(old, warnings);
        if (!outcome || !std::holds_alternative<Listener>(*outcome)) return "lost";
        return try_connect(scene / "api.sock") == 0 ? "reached" : "not reached";
      });
  CHECK(said == "claimed reached");
}

TEST_CASE("a listener that is claimed anew has the owner that the old one was given") {
  const Scene scene;
  const auto path = scene / "api.sock";
  ClaimRequest request = request_for(path);
  request.gid = 2345;
  Listener old = must_claim(request);
  REQUIRE(::chown(path.c_str(), 1234, 3456) == 0);
  REQUIRE(::shutdown(old.fd(), SHUT_RDWR) == 0);
  Warnings warnings;
  const auto outcome = claim_anew(old, warnings);
  REQUIRE(outcome.has_value());
  REQUIRE(std::holds_alternative<Listener>(*outcome));
  const auto found = look_at(path);
  REQUIRE(found.has_value());
  CHECK(found->st_uid == 1234);
  CHECK(found->st_gid == 2345);
  CHECK(found->st_ino == std::get<Listener>(*outcome).inode());
}

TEST_CASE(
    "a claim that fails in the middle leaves only the lock behind, and a stale socket as it was") {
  const Scene scene;
  const auto path = scene / "api.sock";
  ino_t stale = 0;
  SUBCASE("free") {}
  SUBCASE("stale") {
    leave_stale_socket(path);
    stale = inode_of(path);
  }
  const auto said = try_claim_without(
      {.syscall = SYS_listen, .fifth_argument = std::nullopt, .error = EADDRINUSE},
      request_for(path), [](const Listener&) { return ""; });
  CHECK(said == "error: claim " + path + ": listen: Address already in use");
  CHECK(inode_of(path) == stale);
  CHECK(entries(scene.directory()) == (stale == 0 ? 1 : 2));
}

TEST_CASE("by the time a socket listens it has its mode, its owner and its spare link") {
  const Scene scene;
  const auto path = scene / "api.sock";
  bool was_stale = false;
  SUBCASE("free") {}
  SUBCASE("stale") {
    leave_stale_socket(path);
    was_stale = true;
  }
  const auto stale = inode_of(path);
  auto request = request_for(path);
  request.mode = 0640;
  request.uid = 1234;
  request.gid = 2345;
  // Killed where it would begin to listen, it leaves all as it is at that moment.
  REQUIRE(try_claim_without(
              {.syscall = SYS_listen, .fifth_argument = std::nullopt, .error = std::nullopt},
              request, [](const Listener&) { return ""; }) == "");
  const auto prepared = look_at(scene / ".api.sock.perch");
  REQUIRE(prepared.has_value());
  CHECK(prepared->st_mode == (S_IFSOCK | 0640));
  CHECK(prepared->st_uid == 1234);
  CHECK(prepared->st_gid == 2345);
  CHECK(prepared->st_nlink == 2);
  CHECK(inode_of(path) == (was_stale ? stale : prepared->st_ino));

  // What such a death leaves behind is in nobody's way.
  const auto listener = must_claim(request);
  CHECK(try_connect(path) == 0);
  CHECK(entries(scene.directory()) == 3);
}

TEST_CASE("a backlog above somaxconn is claimed with a warning that names both numbers") {
  const Scene scene;
  auto request = request_for(scene / "api.sock");
  request.backlog = 1 << 30;
  Warnings warnings;
  REQUIRE(claim(request, warnings).has_value());
  REQUIRE(warnings.size() == 1);
  auto limit = read_text("/proc/sys/net/core/somaxconn");
  limit.pop_back();
  CHECK(contains(warnings[0], "1073741824"));
  CHECK(contains(warnings[0], " " + limit + " "));
}

TEST_CASE("an abstract name is claimed without files, and a taken one is owned") {
  const Scene scene;
  const auto name = "@" + scene.directory();
  {
    const auto listener = must_claim(request_for(name));
    CHECK(try_connect(name) == 0);
    CHECK(listener.inode() == 0);
    CHECK_FALSE(listener.parts().healable);
    CHECK(contains(try_claim(request_for(name)), "owned: a live socket (pid "));
  }
  CHECK(try_claim(request_for(name)) == "claimed");
  CHECK(entries(scene.directory()) == 0);
}

}  // namespace perch::listener
