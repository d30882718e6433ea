// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/keeper/scene.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/posix/unix_socket.h"
#include "supervisor/keeper/protocol.h"
#include "tests/support/wait_until.h"

namespace perch::test {

bool turn_until(Loop& loop, const std::function<bool()>& done) {
  return wait_until([&] {
    loop.run_pending();
    return done();
  });
}

UniqueFd some_file() { return UniqueFd(::memfd_create("kept", MFD_CLOEXEC)); }

ino_t inode_of_fd(int fd) {
  struct stat found{};
  return ::fstat(fd, &found) == 0 ? found.st_ino : 0;
}

Keeping::Keeping(std::set<uid_t> users) {
  auto opened = keeper::KeepServer::open(loop, log, {.path = path, .users = std::move(users)});
  REQUIRE(opened);
  server = std::move(*opened);
}

UniqueFd Keeping::connect() const {
  auto socket = unix_connect(path, SOCK_SEQPACKET, Blocking::No);
  REQUIRE(socket);
  return std::move(*socket);
}

std::optional<Datagram> Keeping::ask(const UniqueFd& socket, const std::string& text,
                                     const std::vector<int>& fds) {
  static_cast<void>(send_datagram(socket.get(), text, fds));
  std::optional<Datagram> answer;
  const bool answered = turn_until(loop, [&] {
    auto datagram = receive_datagram(socket.get());
    if (datagram) answer = std::move(*datagram);
    return datagram || datagram.error() == ReceiveEnd::Closed;
  });
  REQUIRE(answered);
  return answer;
}

std::string Keeping::answer(const UniqueFd& socket, const std::string& text,
                            const std::vector<int>& fds) {
  const auto datagram = ask(socket, text, fds);
  return datagram ? datagram->payload : "(ended)";
}

std::string Keeping::greet(const UniqueFd& socket, const SignOfLife& life) {
  return answer(socket, keeper::hello(), {life.seen()});
}

UniqueFd Keeping::owner() {
  UniqueFd socket = connect();
  REQUIRE(greet(socket, own).starts_with("WELCOME=1\n"));
  return socket;
}

bool Keeping::is_ended(const UniqueFd& socket) {
  return turn_until(loop, [&] {
    const auto datagram = receive_datagram(socket.get());
    return !datagram && datagram.error() == ReceiveEnd::Closed;
  });
}

}  // namespace perch::test
