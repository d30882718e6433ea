// SPDX-License-Identifier: Apache-2.0
// The notify socket: who is heard, and what becomes of all else that arrives.
#include "supervisor/handover/notify_socket.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "common/posix/fd_passing.h"
#include "common/posix/unix_socket.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/handover/scene.h"

namespace perch::test {
namespace {

using handover::NotifySocket;

constexpr uid_t kNobody = 65534;

UniqueFd connect_to(const std::string& path) {
  auto socket = unix_connect(path, SOCK_DGRAM, Blocking::Yes);
  REQUIRE(socket);
  return std::move(*socket);
}

struct Scene {
  explicit Scene(uid_t worker = ::geteuid()) {
    auto opened = NotifySocket::open(directory.path("n"), worker, heard.listener());
    REQUIRE(opened);
    socket = std::move(*opened);
    REQUIRE(socket->watch(loop));
  }
  [[nodiscard]] UniqueFd connect() const { return connect_to(socket->path()); }
  void say(const std::string& text) const { REQUIRE(send_datagram(connect().get(), text)); }
  // From a process that became `uid` after it had connected.
  void say_as(uid_t uid, const std::string& text) const {
    const UniqueFd ours = connect();
    const pid_t pid = ::fork();
    if (pid == 0) {
      const bool sent =
          ::setresuid(uid, uid, uid) == 0 && send_datagram(ours.get(), text).has_value();
      ::_exit(sent ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    REQUIRE(status == 0);
  }

  TemporaryDirectory directory;
  Loop loop;
  Heard heard;
  std::unique_ptr<NotifySocket> socket;
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("messages are heard by the loop and by drain, each once and in order") {
  Scene scene;
  scene.say("READY=1\nSTATUS=one");
  CHECK(run_until(scene.loop, [&] { return !scene.heard.texts.empty(); }));
  scene.say("STATUS=two");
  scene.say("STATUS=three");
  scene.socket->drain();
  run_all(scene.loop);
  CHECK(scene.heard.texts == Texts{"READY=1\nSTATUS=one\n", "STATUS=two\n", "STATUS=three\n"});
}

TEST_CASE("what arrives before the loop listens waits for it") {
  const TemporaryDirectory directory;
  Loop loop;
  Heard heard;
  const auto socket = NotifySocket::open(directory.path("n"), ::geteuid(), heard.listener());
  REQUIRE(socket);
  REQUIRE(send_datagram(connect_to(directory.path("n")).get(), "READY=1"));
  run_all(loop);
  CHECK(heard.texts.empty());
  REQUIRE((*socket)->watch(loop));
  CHECK(run_until(loop, [&] { return heard.texts == Texts{"READY=1\n"}; }));
}

TEST_CASE("a user who is neither the worker's nor perch's is not heard") {
  if (!have(is_root(), "needs root: to speak as other users")) return;
  const Scene roots;
  roots.say_as(kNobody, "STATUS=wrong");
  roots.say("STATUS=right");
  roots.socket->drain();
  CHECK(roots.heard.texts == Texts{"STATUS=right\n"});

  const Scene nobodys(kNobody);
  nobodys.say_as(kNobody - 1, "STATUS=wrong");
  nobodys.say_as(kNobody, "STATUS=worker");
  nobodys.say("STATUS=perch");
  nobodys.socket->drain();
  CHECK(nobodys.heard.texts == Texts{"STATUS=worker\n", "STATUS=perch\n"});
}

TEST_CASE("the socket's file is the worker's alone") {
  if (!have(is_root(), "needs root: to give a file away")) return;
  const Scene scene(kNobody);
  struct stat file{};
  REQUIRE(::lstat(scene.socket->path().c_str(), &file) == 0);
  CHECK(S_ISSOCK(file.st_mode));
  CHECK((file.st_mode & 0777U) == 0600U);
  CHECK(file.st_uid == kNobody);
}

TEST_CASE("a barrier is answered: descriptors are closed as soon as the message is read") {
  Scene scene;
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  REQUIRE(send_datagram(scene.connect().get(), "BARRIER=1", std::array{writer.get()}));
  writer.reset();
  pollfd waiting{.fd = reader.get(), .events = 0, .revents = 0};
  CHECK(::poll(&waiting, 1, 0) == 0);
  const std::size_t before = open_fds(::getpid());
  CHECK(run_until(scene.loop, [&] { return ::poll(&waiting, 1, 0) == 1; }));
  CHECK((waiting.revents & POLLHUP) != 0);
  CHECK(open_fds(::getpid()) == before);
}

TEST_CASE("descriptors of a user who is not heard are closed too") {
  if (!have(is_root(), "needs root: to speak as another user")) return;
  const Scene scene;
  const std::size_t before = open_fds(::getpid());
  scene.say_as(kNobody, "FDSTORE=1");
  const UniqueFd file = named_file("gift");
  REQUIRE(send_datagram(scene.connect().get(), std::string(kMaxDatagram + 1, 'x'),
                        std::array{file.get()}));
  scene.socket->drain();
  CHECK(scene.heard.texts.empty());
  CHECK(open_fds(::getpid()) == before + 1);
}

TEST_CASE("messages that are too long, empty or no assignments hide none that come after them") {
  const Scene scene;
  scene.say(std::string(kMaxDatagram + 1, 'x'));
  scene.say("STATUS=one");
  scene.say("");
  scene.say("STATUS=two");
  scene.say("no assignment");
  scene.say("READY=1");
  scene.socket->drain();
  CHECK(scene.heard.texts == Texts{"STATUS=one\n", "STATUS=two\n", "", "READY=1\n"});
}

TEST_CASE("a dead socket's path is taken, and the path goes with the object") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("n");
  {
    auto left = unix_socket(SOCK_DGRAM, Blocking::No);
    const auto address = unix_address(path);
    REQUIRE((left && address));
    REQUIRE(::bind(left->get(), address->get(), address->size) == 0);
  }
  Loop loop;
  Heard heard;
  auto socket = NotifySocket::open(path, ::geteuid(), heard.listener());
  REQUIRE(socket);
  REQUIRE(send_datagram(connect_to(path).get(), "READY=1"));
  (*socket)->drain();
  CHECK(heard.texts == Texts{"READY=1\n"});
  socket->reset();
  CHECK(::access(path.c_str(), F_OK) != 0);
}

TEST_CASE("a place that cannot be written is named") {
  Loop loop;
  const auto socket =
      NotifySocket::open("/nonexistent/n", ::geteuid(), [](const NotifyMessage&) {});
  REQUIRE_FALSE(socket);
  CHECK(socket.error().text() == "notify socket: bind /nonexistent/n: No such file or directory");
}

TEST_CASE("a message's listener may destroy the socket, from the loop and from drain") {
  for (const bool by_loop : {true, false}) {
    CAPTURE(by_loop);
    const TemporaryDirectory directory;
    Loop loop;
    std::unique_ptr<NotifySocket> socket;
    int heard = 0;
    const std::string kept(100, 'k');
    auto opened =
        NotifySocket::open(directory.path("n"), ::geteuid(), [&, kept](const NotifyMessage&) {
          socket.reset();
          if (kept.size() == 100) ++heard;  // still there
        });
    REQUIRE(opened);
    socket = std::move(*opened);
    REQUIRE(socket->watch(loop));
    const UniqueFd worker = connect_to(directory.path("n"));
    for (int i = 0; i < 3; ++i) REQUIRE(send_datagram(worker.get(), "READY=1"));
    if (by_loop) loop.run();
    if (!by_loop) socket->drain();
    CHECK(heard == 1);
    CHECK(socket == nullptr);
  }
}

}  // namespace perch::test
