// SPDX-License-Identifier: Apache-2.0
// InterceptScene: listeners as perch has them, and processes that bind their paths under an
// Interceptor. A process runs to its end while the loop turns; calls of its own are in `worker`:
// what they answer is 0 or an errno, so that a process can write it down for the test.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/loop/loop.h"
#include "common/value/unique_fd.h"
#include "supervisor/handover/interceptor.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/handover/filtered_process.h"

namespace perch::test {

// A listening socket at `path`, '@' for abstract names.
UniqueFd listening_at(const std::string& path);
ino_t inode_of(int fd);

class InterceptScene {
 public:
  explicit InterceptScene(std::vector<std::string> names = {"api.sock"});

  // Before run(): what the interceptor is told, and the filter.
  handover::InterceptSettings settings{};
  handover::FilterPlan plan{.mode_guard = true};
  // What it said.
  std::vector<std::string> troubles;
  int bound_calls = 0;
  handover::InterceptCounts counts;

  // The exit code of a process that does this, or minus the signal.
  int run(FilteredProcess::Plan process);
  int run(std::function<int()> act) { return run({.act = std::move(act)}); }
  // One that lives as long as the test wants, with its interceptor; null if it could not be served.
  std::unique_ptr<FilteredProcess> start(FilteredProcess::Plan process);
  [[nodiscard]] bool finish(FilteredProcess& process);

  [[nodiscard]] const std::string& directory() const { return directory_.path(); }
  [[nodiscard]] std::string path(std::string_view name = "api.sock") const {
    return directory_.path(name);
  }
  [[nodiscard]] int listener(std::size_t index = 0) const { return listeners_.at(index).get(); }
  [[nodiscard]] ino_t inode(std::size_t index = 0) const { return inode_of(listener(index)); }
  void add(const std::string& path);

  Loop loop;
  std::unique_ptr<handover::Interceptor> interceptor;
  std::string refusal;  // why an interceptor could not serve

 private:
  TemporaryDirectory directory_;
  std::vector<UniqueFd> listeners_;
};

namespace worker {

int make(int type = SOCK_STREAM);
int bind(int socket, const std::string& path);
int connect(const std::string& path);
// What a system call answered: 0 or errno.
int outcome(long result);
// Makes a socket and binds it; -1 when that fails.
int bound(const std::string& path, int type = SOCK_STREAM);

}  // namespace worker
}  // namespace perch::test
