// SPDX-License-Identifier: Apache-2.0
// Process: one real program, run for a test. Its output goes to files in memory, so that it never
// blocks and can be read at any time. The destructor kills it and everything it left behind: the
// test is a child subreaper, so orphans become its children. Tests spawn through this class alone,
// from one thread.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/value/unique_fd.h"
#include "tests/support/wait_until.h"

namespace perch::test {

struct Command {
  std::vector<std::string> argv{};         // argv[0]: a path, or a name found in PATH
  std::vector<std::string> environment{};  // "NAME=value", over the test's own
  std::map<int, int> fds{};                // in the program -> borrowed here; 0, 1, 2 are preset
  std::vector<std::string> cgroups{};      // cgroup.procs files to enter before exec
};

struct Ending {
  bool by_signal = false;
  int code = 0;  // exit status, or the signal's number
  bool operator==(const Ending&) const = default;
};
inline constexpr Ending exited(int status) { return {.by_signal = false, .code = status}; }
inline constexpr Ending killed_by(int signal) { return {.by_signal = true, .code = signal}; }

class Process {
 public:
  explicit Process(const Command& command);  // throws std::system_error
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  void signal(int number) const;
  // How it ended, once it has.
  std::optional<Ending> ending();
  std::optional<Ending> wait(std::chrono::milliseconds limit = kPatience);

  [[nodiscard]] std::string out() const;
  [[nodiscard]] std::string err() const;

 private:
  std::string name_;
  UniqueFd out_;
  UniqueFd err_;
  pid_t pid_ = -1;
  std::optional<Ending> ending_;
};

// Runs a program to its end; throws when it does not end in time.
struct Finished {
  Ending ending;
  std::string out;
  std::string err;
};
Finished run(const Command& command);

}  // namespace perch::test
