// SPDX-License-Identifier: Apache-2.0
// What tests of the keeper share: a keeper on a loop, raw connections to it, and descriptors to be
// kept that can be told from each other.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/loop/loop.h"
#include "common/posix/fd_passing.h"
#include "supervisor/keeper/server.h"
#include "supervisor/log.h"
#include "tests/support/sign_of_life.h"
#include "tests/support/temporary_directory.h"

namespace perch::test {

// Turns the loop until `done`; false if that does not come.
bool turn_until(Loop& loop, const std::function<bool()>& done);

// An anonymous file; inode_of_fd() tells it from others.
UniqueFd some_file();
ino_t inode_of_fd(int fd);

struct Keeping {
  explicit Keeping(std::set<uid_t> users = {});

  [[nodiscard]] UniqueFd connect() const;
  // One message, and its answer; nothing: the connection has ended.
  std::optional<Datagram> ask(const UniqueFd& socket, const std::string& text,
                              const std::vector<int>& fds = {});
  std::string answer(const UniqueFd& socket, const std::string& text,
                     const std::vector<int>& fds = {});
  // The answer to a hello of the process whose life it is.
  std::string greet(const UniqueFd& socket, const SignOfLife& life);
  // The test's own process' connection, which owns what is kept.
  UniqueFd owner();
  bool is_ended(const UniqueFd& socket);

  TemporaryDirectory directory;
  std::string path = directory.path("keep.sock");
  UniqueFd log_file = some_file();
  Log log{log_file.get()};
  Loop loop;
  SignOfLife own;
  std::unique_ptr<keeper::KeepServer> server;
};

}  // namespace perch::test
