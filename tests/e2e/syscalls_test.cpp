// SPDX-License-Identifier: Apache-2.0
// What a worker's death costs perch until the next worker runs, in system calls: a figure that a
// noisy machine does not change.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "common/posix/file.h"
#include "tests/support/perch_process.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

constexpr int kMaxCallsOfPerch = 15;
constexpr int kMaxCallsOfChild = 20;

bool can_trace() {
  return is_installed("strace") &&
         run({.argv = {"strace", "-o", "/dev/null", "true"}}).ending == exited(0);
}

// perch under strace, its calls in trace(). It logs errors only: log writes do not count.
class TracedPerch {
 public:
  explicit TracedPerch(const std::vector<std::string>& options)
      : perch_(directory_,
               "log_level = \"error\"\n" +
                   app_config(directory_, {.worker = "readiness = { by = \"started\" }"}),
               {.prefix = prefix(options)}) {}

  [[nodiscard]] std::vector<std::string> trace() const {
    std::istringstream text(read_file(trace_path(), 64U << 20U).value_or(""));
    std::vector<std::string> lines;
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    return lines;
  }
  // Kills the worker when perch sleeps, so that its next news is this death, and waits for the next
  // generation's answer.
  void kill_worker() {
    const Reply reply = ask_newer(directory_.path("api.sock"), last_);
    REQUIRE(wait_until([this] { return state_of(perch_pid()) == 'S'; }));
    last_ = reply.generation;
    ::kill(reply.pid, SIGKILL);
    (void)ask_newer(directory_.path("api.sock"), last_);
  }

 private:
  [[nodiscard]] std::string trace_path() const { return directory_.path("trace"); }
  [[nodiscard]] pid_t perch_pid() const { return children_of(perch_.pid()).at(0); }
  [[nodiscard]] std::vector<std::string> prefix(const std::vector<std::string>& options) const {
    std::vector<std::string> words{"strace", "-qq", "-o", trace_path()};
    words.insert(words.end(), options.begin(), options.end());
    return words;
  }

  TemporaryDirectory directory_;
  PerchProcess perch_;
  std::uint64_t last_ = 0;
};

bool is_call(std::string_view line) { return !line.empty() && line[0] >= 'a' && line[0] <= 'z'; }

// A look without waiting is no sleep.
bool is_sleep(std::string_view line) {
  return line.starts_with("epoll_") && line.contains("wait(") && !line.contains(", 0)") &&
         !line.contains(", 0, NULL, ");
}

// For each spawn: how many calls there were since perch last slept, the spawn included. The first
// one is the start.
std::vector<int> calls_before_spawns(const std::vector<std::string>& trace) {
  std::vector<int> counts;
  int count = 0;
  for (const std::string_view line : trace) {
    if (!is_call(line)) continue;  // "--- SIGCHLD ...", "+++ exited ..."
    ++count;
    if (is_sleep(line)) count = 0;
    if (line.starts_with("clone")) counts.push_back(count);
  }
  return counts;
}

// What a child of perch calls up to its exec, with strace -f, where each line begins with its
// caller. To give up a capability takes a call for each of them, so these are counted apart.
struct ChildCalls {
  int all = 0;
  int capabilities = 0;
};
std::optional<ChildCalls> first_childs_calls(const std::vector<std::string>& trace) {
  ChildCalls calls;
  const std::string perch = trace.at(0).substr(0, trace.at(0).find(' '));
  for (const std::string& line : trace) {
    const std::size_t call = line.find_first_not_of(' ', line.find(' '));
    if (line.starts_with(perch + " ") || !is_call(std::string_view(line).substr(call))) continue;
    ++(line.contains("PR_CAPBSET_DROP") ? calls.capabilities : calls.all);
    if (line.substr(call).starts_with("execve")) return calls;
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("from a worker's death to the next one's exec perch makes at most 15 system calls") {
  if (skip_if_sanitized("sanitizers make system calls of their own")) return;
  if (!have(can_trace(), "needs strace and the right to trace")) return;
  TracedPerch perch({});
  constexpr int kKills = 10;
  for (int i = 0; i < kKills; ++i) perch.kill_worker();
  const std::vector<int> counts = calls_before_spawns(perch.trace());
  REQUIRE(counts.size() == kKills + 1);
  for (std::size_t i = 1; i < counts.size(); ++i) {
    CAPTURE(i);
    CHECK(counts[i] > 2);  // it was waited for, at least
    CHECK(counts[i] <= kMaxCallsOfPerch);
  }
}

TEST_CASE("a child makes at most 20 system calls up to its exec, and one for a capability lost") {
  if (skip_if_sanitized("sanitizers make system calls of their own")) return;
  if (!have(can_trace(), "needs strace and the right to trace")) return;
  TracedPerch perch({"-f"});
  perch.kill_worker();
  const auto calls = first_childs_calls(perch.trace());
  REQUIRE(calls);
  CHECK(calls->all > 2);
  CHECK(calls->all <= kMaxCallsOfChild);
  CHECK(calls->capabilities <= 64);
}

}  // namespace perch::test
