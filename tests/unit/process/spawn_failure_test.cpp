// SPDX-License-Identifier: Apache-2.0
// A spawn that fails names the step and the reason; a name without a slash is looked for in PATH.
#include <doctest/doctest.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

#include "supervisor/process/spawn.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/process/in_child.h"
#include "tests/unit/process/spawn_scene.h"

namespace perch::test {
namespace {

using process::SpawnRequest;

std::string make_file(const std::string& path, const std::string& text, mode_t mode) {
  write_text(path, text);
  ::chmod(path.c_str(), mode);
  return path;
}

std::string exec_failure(const std::string& path) { return failure_of(program({path})); }

// A request for /bin/true that `change` makes impossible.
template <class Change>
std::string failure_with(Change change) {
  SpawnRequest request = program({"/bin/true"});
  change(request);
  return failure_of(request);
}

// Root that may change its groups and not its user.
void give_up_setuid() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> data{};
  ::syscall(SYS_capget, &header, data.data());
  data[0].permitted &= ~(1U << CAP_SETUID);
  data[0].effective = data[0].permitted;
  ::syscall(SYS_capset, &header, data.data());
}

// What a child that gave up rights by `give_up` gets for a spawn as `identity`.
template <class GiveUp>
std::string failure_after(GiveUp give_up, const process::Identity& identity) {
  return in_child([&] {
    give_up();
    const std::string text = failure_with([&](SpawnRequest& r) { r.identity = identity; });
    ::dprintf(STDOUT_FILENO, "%s", text.c_str());
  });
}

}  // namespace

TEST_CASE("a program that cannot be executed is named with the kernel's reason") {
  const TemporaryDirectory directory;
  const std::string text = make_file(directory.path("text"), "no program\n", 0755);
  const std::string no_right = make_file(directory.path("no_right"), "#!/bin/sh\n", 0644);
  const std::string orphaned = make_file(directory.path("orphaned"), "#!/nonexistent\n", 0755);
  const std::string missing = directory.path("missing");
  CHECK(exec_failure(missing) == "exec " + missing + ": No such file or directory");
  CHECK(exec_failure(no_right) == "exec " + no_right + ": Permission denied");
  CHECK(exec_failure(directory.path()) == "exec " + directory.path() + ": Permission denied");
  CHECK(exec_failure(text) == "exec " + text + ": Exec format error");
  CHECK(exec_failure(text + "/x") == "exec " + text + "/x: Not a directory");
  CHECK(exec_failure(orphaned) == "exec " + orphaned + ": No such file or directory");
  CHECK(children_of(::getpid()).empty());
}

TEST_CASE("a failure before exec names its step and what the step was about") {
  CHECK(failure_with([](SpawnRequest& r) { r.fds.push_back(-1); }) ==
        "place descriptors: Bad file descriptor");
  CHECK(failure_with([](SpawnRequest& r) { r.cgroup.procs = "/nonexistent/cgroup.procs"; }) ==
        "enter cgroup /nonexistent/cgroup.procs: No such file or directory");
  CHECK(failure_with([](SpawnRequest& r) { r.oom_score_adj = 1001; }) ==
        "set oom_score_adj: Invalid argument");
  CHECK(failure_with([](SpawnRequest& r) { r.limits = {{RLIMIT_NOFILE, {20, 10}}}; }) ==
        "set resource limit: Invalid argument");
  CHECK(failure_with([](SpawnRequest& r) { r.directory = "/nonexistent"; }) ==
        "enter directory /nonexistent: No such file or directory");
  CHECK(failure_with([](SpawnRequest& r) { r.directory = "/dev/null"; }) ==
        "enter directory /dev/null: Not a directory");
}

TEST_CASE("another user without the privilege is a failure, never a worker as somebody else") {
  if (!have(is_root(), "needs root: to give its rights away")) return;
  CHECK(failure_after([] { return ::setresuid(65534, 65534, 65534); }, {0, 0, {}}) ==
        "set supplementary groups: Operation not permitted");
  CHECK(failure_after(give_up_setuid, {1234, 1234, {1234}}) ==
        "set user 1234: Operation not permitted");
}

TEST_CASE("a name without a slash is looked for in every directory of PATH") {
  using process::exec_candidates;
  using Paths = std::vector<std::string>;
  CHECK(exec_candidates("app", "/a:/b") == Paths{"/a/app", "/b/app"});
  CHECK(exec_candidates("app", "/a") == Paths{"/a/app"});
  CHECK(exec_candidates("./app", "/a:/b") == Paths{"./app"});
  CHECK(exec_candidates("/x/app", "") == Paths{"/x/app"});
  // An empty entry is the working directory (execvp(3)).
  CHECK(exec_candidates("app", "") == Paths{"./app"});
  CHECK(exec_candidates("app", ":/b:") == Paths{"./app", "/b/app", "./app"});
}

TEST_CASE("the first program of that name that can be executed is, whatever lies before it") {
  const TemporaryDirectory directory;
  for (const char* name : {"one", "two", "three"}) ::mkdir(directory.path(name).c_str(), 0755);
  make_file(directory.path("one/app"), "#!/bin/sh\necho one\n", 0644);
  make_file(directory.path("file"), "", 0644);
  make_file(directory.path("two/app"), "#!/bin/sh\necho two\n", 0755);
  make_file(directory.path("three/app"), "#!/bin/sh\necho three\n", 0755);

  SpawnRequest request = program({"app"});
  const auto search = [&](const std::string& path) { request.environment = {"PATH=" + path}; };
  search("/nonexistent:" + directory.path("file") + ":" + directory.path("one") + ":" +
         directory.path("two") + ":" + directory.path("three"));
  CHECK(run_to_end(request).out == "two\n");
  search(directory.path("one") + ":/nonexistent");
  CHECK(failure_of(request) == "exec app: Permission denied");
  search("/nonexistent:" + directory.path("file"));
  CHECK(failure_of(request) == "exec app: No such file or directory");
}

TEST_CASE("PATH is the child's own, and has a default") {
  SpawnRequest request = program({"true"});
  CHECK(run_to_end(request).exit_status == 0);
  request.environment = {"PATH=/nonexistent"};
  CHECK(failure_of(request) == "exec true: No such file or directory");
}

}  // namespace perch::test
