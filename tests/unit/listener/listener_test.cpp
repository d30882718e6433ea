// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/listener.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <utility>
#include <vector>

#include "common/posix/unix_socket.h"
#include "tests/unit/listener/scene.h"

namespace perch::listener {
namespace {

UniqueFd connect_to(const std::string& path) {
  auto client = unix_connect(path, SOCK_STREAM, Blocking::No);
  REQUIRE(client.has_value());
  return std::move(*client);
}

bool has_sock_diag(const Listener& listener) {
  if (listener.queue_depth()) return true;
  REQUIRE(std::getenv("PERCH_REQUIRE_ALL") == nullptr);
  std::cout << "[skip] this kernel has no sock_diag for Unix sockets\n";
  return false;
}

}  // namespace

TEST_CASE("the queue depth is the number of clients nobody has accepted") {
  const Scene scene;
  auto listener = must_claim(request_for(scene / "api.sock"));
  if (!has_sock_diag(listener)) return;
  CHECK(listener.queue_depth()->queued == 0);
  CHECK(listener.queue_depth()->backlog == 64);
  std::vector<UniqueFd> clients;
  for (std::uint32_t i = 1; i <= 20; ++i) {
    clients.push_back(connect_to(scene / "api.sock"));
    CHECK(listener.queue_depth()->queued == i);
  }
  clients.clear();
  CHECK(listener.queue_depth()->queued == 20);
  const UniqueFd served(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  CHECK(listener.queue_depth()->queued == 19);
}

TEST_CASE("a new backlog is in force at once and keeps who is queued") {
  const Scene scene;
  auto request = request_for(scene / "api.sock");
  request.backlog = 0;
  auto listener = must_claim(request);
  const auto first = connect_to(scene / "api.sock");
  CHECK(try_connect(scene / "api.sock") == EAGAIN);
  REQUIRE(listener.set_backlog(5).has_value());
  const auto second = connect_to(scene / "api.sock");
  const UniqueFd served(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  CHECK(served);
  if (has_sock_diag(listener)) CHECK(listener.queue_depth()->backlog == 5);
}

TEST_CASE("a new mode is that of our inode, never of what replaced it at the path") {
  const Scene scene;
  const auto path = scene / "api.sock";
  auto listener = must_claim(request_for(path));
  REQUIRE(listener.set_mode(0640).has_value());
  CHECK((look_at(path)->st_mode & 07777) == 0640);
  REQUIRE(::unlink(path.c_str()) == 0);
  write_text(path, "precious");
  REQUIRE(::chmod(path.c_str(), 0604) == 0);
  REQUIRE(listener.set_mode(0600).has_value());
  CHECK((look_at(path)->st_mode & 07777) == 0604);
  CHECK((look_at(scene / ".api.sock.perch")->st_mode & 07777) == 0600);
}

TEST_CASE("on_exit keep leaves path and spare link, unlink removes both, the lock file stays") {
  const Scene scene;
  const auto path = scene / "api.sock";
  auto request = request_for(path);
  {
    const auto listener = must_claim(request);
  }
  CHECK(inode_of(path) != 0);
  CHECK(inode_of(scene / ".api.sock.perch") == inode_of(path));
  request.on_exit = config::OnExit::Unlink;
  {
    const auto listener = must_claim(request);
  }
  CHECK(inode_of(path) == 0);
  CHECK(inode_of(scene / ".api.sock.perch") == 0);
  CHECK(inode_of(scene / ".api.sock.lock") != 0);
}

TEST_CASE("on_exit unlink spares a socket that took our place") {
  const Scene scene;
  const auto path = scene / "api.sock";
  UniqueFd daemon;
  {
    auto listener = must_claim(request_for(path));
    listener.set_on_exit(config::OnExit::Unlink);
    REQUIRE(::unlink(path.c_str()) == 0);
    daemon = listen_socket(path);
  }
  CHECK(try_connect(path) == 0);
  CHECK(inode_of(scene / ".api.sock.perch") == 0);
}

TEST_CASE("each of several listeners follows its own on_exit") {
  const Scene scene;
  {
    auto goes = request_for(scene / "goes");
    goes.on_exit = config::OnExit::Unlink;
    const auto first = must_claim(goes);
    const auto second = must_claim(request_for(scene / "stays"));
  }
  CHECK(inode_of(scene / "goes") == 0);
  CHECK(inode_of(scene / "stays") != 0);
}

TEST_CASE("a listener that was moved from removes nothing") {
  const Scene scene;
  auto request = request_for(scene / "api.sock");
  request.on_exit = config::OnExit::Unlink;
  std::optional<Listener> first(must_claim(request));
  const Listener second(std::move(*first));
  first.reset();
  CHECK(inode_of(scene / "api.sock") == second.inode());
  CHECK(contains(try_claim(request), "owned: another perch"));
}

}  // namespace perch::listener
