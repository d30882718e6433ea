// SPDX-License-Identifier: Apache-2.0
// A spawn under a seccomp filter with notifications: the filter here asks for mkdir and mkdirat.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "supervisor/process/capability_set.h"
#include "supervisor/process/spawn.h"
#include "supervisor/process/spawn_remedy.h"
#include "tests/support/requirement.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/process/in_child.h"
#include "tests/unit/process/spawn_scene.h"

namespace perch::test {
namespace {

using process::SpawnRequest;
using Program = std::vector<sock_filter>;

constexpr uid_t kNobody = 65534;

// `verdict` for the system calls of these numbers, ALLOW for the others.
Program verdict_for(const std::vector<long>& calls, std::uint32_t verdict) {
  Program program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const long call : calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, verdict));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  return program;
}

const Program& ask_for_mkdir() {
#ifdef SYS_mkdir
  static const Program program = verdict_for({SYS_mkdir, SYS_mkdirat}, SECCOMP_RET_USER_NOTIF);
#else
  static const Program program = verdict_for({SYS_mkdirat}, SECCOMP_RET_USER_NOTIF);
#endif
  return program;
}

SpawnRequest filtered(SpawnRequest request) {
  request.filter = ask_for_mkdir();
  return request;
}

// Puts a filter over the test's own (forked) process, for good; the notify descriptor or 0.
long put_over_oneself(const Program& program, unsigned long flags) {
  Program instructions = program;
  const sock_fprog whole{static_cast<unsigned short>(instructions.size()), instructions.data()};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &whole);
}

// Answers the next notification with success and does nothing. False: none came.
bool pretend_success(int notify) {
  pollfd waiting{notify, POLLIN, 0};
  if (::poll(&waiting, 1, 10'000) != 1 || (waiting.revents & POLLIN) == 0) return false;
  seccomp_notif asked{};
  if (::ioctl(notify, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) return false;
  seccomp_notif_resp answer{};
  answer.id = asked.id;
  return ::ioctl(notify, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0;
}

// In a forked child that `change`d itself: "works", or what failed and what helps.
template <class Change>
std::string spawn_after(Change change, const SpawnRequest& request) {
  return in_child([&] {
    change();
    auto spawner = process::Spawner::create();
    const auto child = spawner->spawn(request);
    const std::string text =
        child ? "works" : child.error().text() + "; " + process::spawn_remedy(child.error());
    if (child) ::kill(child->pid, SIGKILL);
    ::waitpid(-1, nullptr, 0);
    ::dprintf(STDOUT_FILENO, "%s", text.c_str());
  });
}

void become_nobody() {
  if (::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(1);
}

std::size_t open_fds() {
  const std::filesystem::directory_iterator fds("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(fds), end(fds)));
}

// A copy of id(1) that takes on its owner, root.
std::string setuid_id(const TemporaryDirectory& directory) {
  const std::string path = directory.path("id");
  std::filesystem::copy_file("/usr/bin/id", path);
  ::chmod(path.c_str(), 04755);
  ::chmod(directory.path().c_str(), 0755);
  return path;
}

SpawnRequest effective_user_of(const std::string& id) {
  SpawnRequest request = filtered(program({id, "-u"}));
  request.identity = process::Identity{kNobody, kNobody, {}};
  return request;
}

bool may_filter() {
  const auto effective = process::CapabilitySet::effective();
  return effective && effective->contains(process::kCapSysAdmin);
}
constexpr const char* kNeedsAdmin = "needs CAP_SYS_ADMIN: a filter without no_new_privs";

}  // namespace

TEST_CASE("what a filter asks for arrives at the spawner, also after the exec") {
  if (!have(may_filter(), kNeedsAdmin)) return;
  const TemporaryDirectory directory;
  auto spawner = process::Spawner::create();
  REQUIRE(spawner);
  const auto child = spawner->spawn(filtered(program({"/bin/mkdir", directory.path("never")})));
  REQUIRE(child);
  REQUIRE(child->notify);
  CHECK(pretend_success(child->notify.get()));
  int status = -1;
  ::waitpid(child->pid, &status, 0);
  CHECK(status == 0);
  CHECK_FALSE(std::filesystem::exists(directory.path("never")));
}

TEST_CASE("a child of a child is asked for too, and the end of all of them is seen") {
  if (!have(may_filter(), kNeedsAdmin)) return;
  const TemporaryDirectory directory;
  auto spawner = process::Spawner::create();
  REQUIRE(spawner);
  const std::string script = "mkdir " + directory.path("never") + " && exit 7; exit 1";
  const auto child = spawner->spawn(filtered(program({"/bin/sh", "-c", script})));
  REQUIRE(child);
  CHECK(pretend_success(child->notify.get()));
  int status = -1;
  ::waitpid(child->pid, &status, 0);
  CHECK(WEXITSTATUS(status) == 7);
  pollfd waiting{child->notify.get(), POLLIN, 0};
  REQUIRE(::poll(&waiting, 1, 10'000) == 1);
  CHECK((waiting.revents & POLLHUP) != 0);
}

TEST_CASE("a filter costs a child no descriptor and its parent but the one") {
  if (!have(may_filter(), kNeedsAdmin)) return;
  const std::size_t before = open_fds();
  {
    const Cat cat(filtered({}));
    CHECK(cat.fds() == "0 1 2");
    CHECK(cat.status_line("Seccomp") == "Seccomp:\t2");
    CHECK(cat.status_line("NoNewPrivs") == "NoNewPrivs:\t0");
    // With the cat's pidfd and two ends of pipes.
    CHECK(open_fds() == before + 4);
    CHECK((::fcntl(cat.notify(), F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(failure_of(filtered(program({"/nonexistent"}))) ==
        "exec /nonexistent: No such file or directory");
  CHECK(open_fds() == before);
}

TEST_CASE("without a filter there is none, and nothing to listen to") {
  SpawnRequest request;
  request.no_new_privs = true;
  const Cat cat(request);
  CHECK(cat.notify() == -1);
  CHECK(cat.status_line("Seccomp") == "Seccomp:\t0");
  CHECK(cat.status_line("NoNewPrivs") == "NoNewPrivs:\t0");
}

TEST_CASE("a filter is set although the child has many descriptors and a limit just above them") {
  if (!have(may_filter(), kNeedsAdmin)) return;
  const UniqueFd file = named_file("file");
  SpawnRequest request = filtered({});
  request.fds.assign(10, file.get());
  request.limits = {{RLIMIT_NOFILE, {14, 14}}};
  const Cat cat(request);
  CHECK(cat.fds() == "0 1 2 3 4 5 6 7 8 9 10 11 12");
  CHECK(cat.notify() >= 0);
}

TEST_CASE("another user's child is filtered, with CAP_SYS_ADMIN without no_new_privs") {
  if (!have(may_filter(), kNeedsAdmin)) return;
  SpawnRequest request = filtered({});
  request.identity = process::Identity{kNobody, kNobody, {}};
  const Cat cat(request);
  CHECK(cat.status_line("Uid") == "Uid:\t65534\t65534\t65534\t65534");
  CHECK(cat.status_line("Seccomp") == "Seccomp:\t2");
  CHECK(cat.status_line("NoNewPrivs") == "NoNewPrivs:\t0");
}

TEST_CASE("setuid programs work below a filter, unless it took no_new_privs") {
  if (!have(may_filter(), kNeedsAdmin)) return;
  const TemporaryDirectory directory;
  SpawnRequest request = effective_user_of(setuid_id(directory));
  CHECK(run_to_end(request).out == "0\n");
  request.no_new_privs = true;
  CHECK(run_to_end(request).out == "65534\n");
}

TEST_CASE("who lacks CAP_SYS_ADMIN filters with no_new_privs, and is told without it") {
  if (!have(is_root(), "needs root: to become another user")) return;
  SpawnRequest request = filtered(program({"/bin/cat"}));
  CHECK(spawn_after(become_nobody, request)
            .starts_with(
                "install the seccomp filter: Permission denied; a filter takes CAP_SYS_ADMIN"));
  request.no_new_privs = true;
  CHECK(spawn_after(become_nobody, request) == "works");
}

TEST_CASE("a listener that is there already is named, and so is a forbidden seccomp") {
  if (!have(may_filter(), kNeedsAdmin)) return;
  const SpawnRequest request = filtered(program({"/bin/cat"}));
  const auto listened_to = [] {
    put_over_oneself(ask_for_mkdir(), SECCOMP_FILTER_FLAG_NEW_LISTENER);
  };
  CHECK(spawn_after(listened_to, request)
            .starts_with(
                "install the seccomp filter: Device or resource busy; the container's runtime"));
  const auto answered = [](int error) {
    return [error] {
      put_over_oneself(
          verdict_for({SYS_seccomp}, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)), 0);
    };
  };
  CHECK(spawn_after(answered(EPERM), request)
            .starts_with("install the seccomp filter: Operation not permitted; the container's "
                         "seccomp profile"));
  CHECK(spawn_after(answered(ENOSYS), request)
            .starts_with("install the seccomp filter: Function not implemented; it takes seccomp "
                         "user notification"));
}

TEST_CASE("a kernel that does not know the newer flag gets a filter without it") {
  if (!have(may_filter(), kNeedsAdmin)) return;
  // EINVAL for seccomp(2) with WAIT_KILLABLE_RECV among its flags.
  const auto older_kernel = [] {
    const Program program{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    put_over_oneself(program, 0);
  };
  CHECK(spawn_after(older_kernel, filtered(program({"/bin/cat"}))) == "works");
}

TEST_CASE("a parent without room for the notify descriptor leaves no child that nobody answers") {
  if (!have(may_filter(), kNeedsAdmin)) return;
  // Room for the pair and the pidfd, and no more.
  const auto nearly_full = [] {
    ::close_range(3, ~0U, 0);
    const rlimit tight{6, 6};
    ::setrlimit(RLIMIT_NOFILE, &tight);
  };
  CHECK(spawn_after(nearly_full, filtered(program({"/bin/cat"}))) ==
        "install the seccomp filter: Too many open files; raise the limit of open files (ulimit "
        "-n, fs.file-max)");
}

}  // namespace perch::test
