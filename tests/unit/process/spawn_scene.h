// SPDX-License-Identifier: Apache-2.0
// What the tests of Spawner start: a cat that stays to be looked at from outside, programs that run
// to their end, and requests that cannot work. Each reaps what it started.
#pragma once

#include <string>
#include <vector>

#include "common/value/unique_fd.h"
#include "supervisor/process/spawn.h"

namespace perch::test {

// /bin/cat between two pipes, past its own start: what /proc says of it is what exec made of it.
class Cat {
 public:
  // `request.fds` come after 0, 1 and 2. Throws when it cannot be spawned.
  explicit Cat(process::SpawnRequest request = {});
  ~Cat();
  Cat(const Cat&) = delete;
  Cat& operator=(const Cat&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return child_.pid; }
  [[nodiscard]] int pidfd() const noexcept { return child_.pidfd.get(); }
  [[nodiscard]] int notify() const noexcept { return child_.notify.get(); }
  // The text of /proc/PID/`name`, and where the link of that name leads.
  [[nodiscard]] std::string file(const std::string& name) const;
  [[nodiscard]] std::string link(const std::string& name) const;
  // "Uid:\t0\t0\t0\t0" for "Uid".
  [[nodiscard]] std::string status_line(const std::string& name) const;
  // "0 1 2 3"
  [[nodiscard]] std::string fds() const;

 private:
  UniqueFd input_;
  UniqueFd output_;
  process::Child child_;
};

// A program of its own, with nothing on 0 and its output kept.
process::SpawnRequest program(std::vector<std::string> command);
struct RunToEnd {
  int exit_status;  // -1: by a signal
  std::string out;
};
RunToEnd run_to_end(process::SpawnRequest request);

// The words of the failure; "(started)" if there was none. No other child may be running.
std::string failure_of(const process::SpawnRequest& request);

// A file in memory that /proc/PID/fd shows as "/memfd:NAME (deleted)".
UniqueFd named_file(const std::string& name);

}  // namespace perch::test
