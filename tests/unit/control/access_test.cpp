// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/access.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <future>

#include "supervisor/control/client.h"
#include "tests/support/requirement.h"
#include "tests/unit/control/fixture.h"

namespace perch::control {
namespace {

using std::chrono::milliseconds;

constexpr uid_t kPerch = 700;
constexpr uid_t kReader = 1001;
constexpr uid_t kOperator = 1002;
constexpr gid_t kReaders = 2001;
constexpr gid_t kOperators = 2002;
constexpr id_t kOverflow = 65534;

Access rules() {
  return {.own = kPerch,
          .readers = {.users = {kReader, kOverflow}, .groups = {kReaders, kOverflow}},
          .operators = {.users = {kOperator}, .groups = {kOperators}}};
}

mode_t mode_of(const std::string& path) {
  struct stat about{};
  REQUIRE(::lstat(path.c_str(), &about) == 0);
  return about.st_mode & 0777;
}

// What a client with these credentials is answered; `before` runs in the child.
struct Stranger {
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups{};
  int unshared = 0;  // namespaces left behind, after the ids have changed
};
int status_for(Served& served, const Stranger& stranger, const char* method, const char* target) {
  REQUIRE(::chmod(served.directory.path().c_str(), 0755) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    const bool changed = ::setgroups(stranger.groups.size(), stranger.groups.data()) == 0 &&
                         ::setresgid(stranger.gid, stranger.gid, stranger.gid) == 0 &&
                         ::setresuid(stranger.uid, stranger.uid, stranger.uid) == 0 &&
                         (stranger.unshared == 0 || ::unshare(stranger.unshared) == 0);
    const auto reply = request(served.path, method, target, milliseconds{30'000});
    // 403 does not fit an exit status.
    ::_exit(!changed ? 255 : reply ? reply->status / 100 * 10 + reply->status % 10 : 254);
  }
  int status = -1;
  CHECK(served.turn_until([&] { return ::waitpid(child, &status, WNOHANG) == child; }));
  REQUIRE(WIFEXITED(status));
  const int coded = WEXITSTATUS(status);
  return coded / 10 * 100 + coded % 10;
}

}  // namespace

TEST_CASE("root and perch's own user may do everything, others what the rules give") {
  struct Case {
    Credentials peer;
    Right right;
  };
  const std::array cases{
      Case{{.uid = 0, .gid = 0}, Right::Operate},
      Case{{.uid = kPerch, .gid = 5}, Right::Operate},
      Case{{.uid = kReader, .gid = 5}, Right::Read},
      Case{{.uid = kOperator, .gid = 5}, Right::Operate},
      Case{{.uid = 5, .gid = kReaders}, Right::Read},
      Case{{.uid = 5, .gid = kOperators}, Right::Operate},
      Case{{.uid = 5, .gid = 5, .groups = {6, kReaders}}, Right::Read},
      Case{{.uid = 5, .gid = 5, .groups = {kReaders, kOperators}}, Right::Operate},
      Case{{.uid = kReaders, .gid = kReader, .groups = {kOperator}}, Right::None},
      Case{{.uid = 5, .gid = 5, .groups = {}}, Right::None},
      Case{{.uid = 5, .gid = 0, .groups = {0}}, Right::None},
      Case{{.uid = kOverflow, .gid = 5}, Right::None},
      Case{{.uid = 5, .gid = kOverflow, .groups = {kOverflow}}, Right::None},
      Case{{.uid = kOverflow, .gid = kOverflow, .groups = {kReaders}}, Right::Read},
  };
  for (const auto& [peer, right] : cases) {
    CAPTURE(peer.uid);
    CAPTURE(peer.gid);
    CHECK(right_of(peer, rules()) == right);
  }
}

TEST_CASE("perch's own user is nobody where anybody could look like it") {
  CHECK(right_of({.uid = kOverflow}, {.own = kOverflow}) == Right::Operate);
  CHECK(right_of({.uid = kOverflow}, {.own = {}}) == Right::None);
}

TEST_CASE("the socket's mode lets in whom the rules may know") {
  CHECK(socket_rights({}) == SocketRights{.mode = 0600});
  CHECK(socket_rights({.readers = {.groups = {7}}}) == SocketRights{.mode = 0660, .group = 7});
  CHECK(socket_rights({.readers = {.groups = {7}}, .operators = {.groups = {7}}}) ==
        SocketRights{.mode = 0660, .group = 7});
  CHECK(socket_rights({.readers = {.groups = {7}}, .operators = {.groups = {8}}}) ==
        SocketRights{.mode = 0666});
  CHECK(socket_rights({.operators = {.users = {7}}}) == SocketRights{.mode = 0666});
  CHECK(socket_rights({.readers = {.groups = {7}}, .operators = {.users = {7}}}) ==
        SocketRights{.mode = 0666});
}

TEST_CASE("a refusal names the key that would help, if one would") {
  const auto text = why_refused({.uid = 5}, rules());
  CHECK(text.find("\"user:5\"") != std::string::npos);
  CHECK(text.find("perch.readers") != std::string::npos);
  CHECK(text.find("perch.operators") != std::string::npos);
  CHECK(why_refused({.uid = kOverflow}, rules()).find("perch.readers") == std::string::npos);
}

TEST_CASE("readers look, operators act, others get no answer but why") {
  if (!test::have(test::is_root(), "needs root: setresuid")) return;
  Served served({}, rules());
  CHECK(mode_of(served.path) == 0666);
  struct Case {
    Stranger who;
    int look;
    int act;
  };
  const std::array cases{
      Case{{.uid = kReader, .gid = 5}, 200, 403},
      Case{{.uid = 5, .gid = kReaders}, 200, 403},
      Case{{.uid = 5, .gid = 5, .groups = {6, kReaders}}, 200, 403},
      Case{{.uid = kOperator, .gid = 5}, 200, 200},
      Case{{.uid = 5, .gid = 5, .groups = {kOperators}}, 200, 200},
      Case{{.uid = 5, .gid = 5}, 403, 403},
      Case{{.uid = kOverflow, .gid = kOverflow}, 403, 403},
  };
  for (const auto& [who, look, act] : cases) {
    CAPTURE(who.uid);
    CAPTURE(who.gid);
    served.target.reloads = 0;
    for (const auto* target : {"/v1/status", "/v1/events", "/livez", "/readyz"}) {
      CHECK(status_for(served, who, "GET", target) == look);
    }
    CHECK(status_for(served, who, "POST", "/v1/reload") == act);
    CHECK(status_for(served, who, "GET", "/v1/config") == act);
    CHECK(served.target.reloads == (act == 200 ? 1 : 0));
  }
}

TEST_CASE("a client that hides in a user namespace is still whom the kernel knows") {
  if (!test::have(test::is_root(), "needs root: setresuid")) return;
  Served served({}, rules());
  const int hidden = CLONE_NEWUSER;
  CHECK(status_for(served, {.uid = 5, .gid = 5, .unshared = hidden}, "GET", "/livez") == 403);
  CHECK(status_for(served, {.uid = kReader, .gid = 5, .unshared = hidden}, "GET", "/livez") == 200);
  CHECK(status_for(served, {.uid = kReader, .gid = 5, .unshared = hidden}, "POST", "/v1/reload") ==
        403);
  CHECK(served.target.reloads == 0);
}

TEST_CASE("without rules another user cannot even connect, and gets no answer where he can") {
  if (!test::have(test::is_root(), "needs root: setresuid")) return;
  Served served;
  CHECK(mode_of(served.path) == 0600);
  CHECK(status_for(served, {.uid = 5, .gid = 5}, "GET", "/livez") == 254 / 10 * 100 + 254 % 10);
  REQUIRE(::chmod(served.path.c_str(), 0666) == 0);
  CHECK(status_for(served, {.uid = 5, .gid = 5}, "POST", "/v1/reload") == 403);
  CHECK(served.target.reloads == 0);
}

TEST_CASE("one group alone is the socket's own group") {
  if (!test::have(test::is_root(), "needs root: chgrp")) return;
  Served served({}, {.own = 0, .readers = {.groups = {kReaders}}});
  struct stat about{};
  REQUIRE(::lstat(served.path.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0660);
  CHECK(about.st_gid == kReaders);
  CHECK(status_for(served, {.uid = 5, .gid = kReaders}, "GET", "/v1/status") == 200);
}

TEST_CASE("access changes live: for those who come, those who are here, and those who follow") {
  if (!test::have(test::is_root(), "needs root: setresuid")) return;
  Served served({}, rules());
  REQUIRE(::chmod(served.directory.path().c_str(), 0755) == 0);
  CHECK(status_for(served, {.uid = kReader, .gid = 5}, "GET", "/livez") == 200);
  RawClient follower(served.path);
  follower.send("GET /v1/events?follow=1 HTTP/1.1\r\n\r\n");
  RawClient stays(served.path);
  stays.send("GET /livez HTTP/1.1\r\n\r\n");
  CHECK(served.turn_until(
      [&] { return stays.received_text("ok") && follower.received_text("200"); }));

  REQUIRE(served.server->set_access({.own = kPerch}));
  CHECK(mode_of(served.path) == 0600);
  CHECK(served.turn_until([&] { return follower.closed(); }));
  CHECK_FALSE(stays.closed());
  REQUIRE(served.server->set_access({.own = kPerch, .readers = {.users = {5}}}));
  CHECK(mode_of(served.path) == 0666);
  CHECK(status_for(served, {.uid = kReader, .gid = 5}, "GET", "/livez") == 403);
  CHECK(status_for(served, {.uid = 5, .gid = 5}, "GET", "/livez") == 200);
}

}  // namespace perch::control
