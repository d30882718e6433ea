// SPDX-License-Identifier: Apache-2.0
// Spawner: a child has what was asked for and nothing else of perch's.
#include "supervisor/process/spawn.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <set>

#include "supervisor/process/process_tree.h"
#include "supervisor/process/worker_cgroup.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/wait_until.h"
#include "tests/unit/process/in_child.h"
#include "tests/unit/process/nest.h"
#include "tests/unit/process/spawn_scene.h"

namespace perch::test {
namespace {

constexpr uid_t kNobody = 65534;

std::string memory_file(const std::string& name) { return "/memfd:" + name + " (deleted)"; }

// What the test does to its own signals is undone.
class Signals {
 public:
  Signals() {
    ::sigprocmask(SIG_BLOCK, nullptr, &mask_);
    ::sigaction(SIGUSR1, nullptr, &user_);
    ::sigaction(SIGPIPE, nullptr, &pipe_);
    ::sigaction(SIGCHLD, nullptr, &child_);
  }
  ~Signals() {
    ::sigprocmask(SIG_SETMASK, &mask_, nullptr);
    ::sigaction(SIGUSR1, &user_, nullptr);
    ::sigaction(SIGPIPE, &pipe_, nullptr);
    ::sigaction(SIGCHLD, &child_, nullptr);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  sigset_t mask_{};
  struct sigaction user_{};
  struct sigaction pipe_{};
  struct sigaction child_{};
};

process::SpawnRequest as_nobody() {
  process::SpawnRequest request;
  request.identity = process::Identity{kNobody, kNobody, {4, 24}};
  return request;
}

}  // namespace

TEST_CASE("a child has the descriptors that were asked for, in their order, and no other") {
  const UniqueFd kept_open(::open("/dev/null", O_RDONLY));  // NOLINT: not close-on-exec on purpose
  const UniqueFd one = named_file("one");
  const UniqueFd two = named_file("two");
  process::SpawnRequest request;
  request.fds = {two.get(), one.get(), two.get()};
  const Cat cat(request);
  CHECK(cat.fds() == "0 1 2 3 4 5");
  CHECK(cat.link("fd/3") == memory_file("two"));
  CHECK(cat.link("fd/4") == memory_file("one"));
  CHECK(cat.link("fd/5") == memory_file("two"));
}

TEST_CASE("descriptors arrive when sources and targets cross") {
  std::vector<UniqueFd> files;
  for (int i = 0; i < 40; ++i) files.push_back(named_file("file" + std::to_string(i)));
  process::SpawnRequest request;
  std::set<int> sources;
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    request.fds.push_back(file->get());
    sources.insert(file->get());
  }
  bool crossed = false;
  for (std::size_t i = 0; i < request.fds.size(); ++i) {
    const int target = static_cast<int>(i) + 3;
    crossed = crossed || (sources.contains(target) && request.fds[i] != target);
  }
  REQUIRE(crossed);
  const Cat cat(request);
  for (int i = 0; i < 40; ++i) {
    CHECK(cat.link("fd/" + std::to_string(42 - i)) == memory_file("file" + std::to_string(i)));
  }
}

TEST_CASE("descriptors arrive although the child's own limit is just above them") {
  const UniqueFd file = named_file("file");
  process::SpawnRequest request;
  request.fds.assign(10, file.get());
  request.limits = {{RLIMIT_NOFILE, {14, 14}}};
  CHECK(Cat(request).fds() == "0 1 2 3 4 5 6 7 8 9 10 11 12");
}

TEST_CASE("the environment is the one that was asked for, and LISTEN_PID is the child's own pid") {
  process::SpawnRequest request;
  request.environment = {"ONE=1", "EMPTY=", "PATH=/nowhere"};
  CHECK(Cat(request).file("environ") == std::string("ONE=1\0EMPTY=\0PATH=/nowhere\0", 27));
  request.environment = {"ONE=1"};
  request.listen_pid = true;
  const Cat cat(request);
  CHECK(cat.file("environ") ==
        std::string("ONE=1\0", 6) + "LISTEN_PID=" + std::to_string(cat.pid()) + '\0');
}

TEST_CASE("signals are as a new program expects them, whatever the parent does with them") {
  const Signals restored;
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGCHLD, SIG_IGN);
  ::signal(SIGUSR1, [](int) {});
  sigset_t some;
  ::sigemptyset(&some);
  ::sigaddset(&some, SIGTERM);
  ::sigaddset(&some, SIGRTMIN);
  ::sigprocmask(SIG_BLOCK, &some, nullptr);
  const Cat cat;
  for (const char* set : {"SigBlk", "SigIgn", "SigCgt"}) {
    CHECK(cat.status_line(set) == std::string(set) + ":\t0000000000000000");
  }
  sigset_t ours;
  ::sigprocmask(SIG_BLOCK, nullptr, &ours);
  CHECK(::sigismember(&ours, SIGTERM) == 1);
  CHECK(::sigismember(&ours, SIGUSR2) == 0);
  struct sigaction handler{};
  ::sigaction(SIGPIPE, nullptr, &handler);
  CHECK((handler.sa_handler == SIG_IGN));
}

TEST_CASE("a child leads a session of its own") {
  const Cat cat;
  process::ProcessStat stat;
  REQUIRE(process::read_stat(cat.pid(), stat));
  CHECK(stat.parent == ::getpid());
  CHECK(stat.session == cat.pid());
  CHECK(stat.group == cat.pid());
}

TEST_CASE("umask and directory are the parent's unless they are asked for") {
  const mode_t ours = ::umask(022);
  ::umask(ours);
  CHECK(Cat().link("cwd") == std::filesystem::current_path());
  const TemporaryDirectory directory;
  process::SpawnRequest request;
  request.directory = directory.path();
  request.umask = 0127;
  const Cat cat(request);
  CHECK(cat.link("cwd") == directory.path());
  CHECK(cat.status_line("Umask") == "Umask:\t0127");
  CHECK(::umask(ours) == ours);
  CHECK(std::filesystem::current_path() != directory.path());
}

TEST_CASE("resource limits are the child's alone") {
  process::SpawnRequest request;
  request.limits = {{RLIMIT_NOFILE, {123, 456}}, {RLIMIT_CORE, {0, RLIM64_INFINITY}}};
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const Cat cat(request);
  rlimit files{};
  REQUIRE(::prlimit(cat.pid(), RLIMIT_NOFILE, nullptr, &files) == 0);
  CHECK(files.rlim_cur == 123);
  CHECK(files.rlim_max == 456);
  rlimit core{};
  REQUIRE(::prlimit(cat.pid(), RLIMIT_CORE, nullptr, &core) == 0);
  CHECK(core.rlim_cur == 0);
  rlimit after{};
  ::getrlimit(RLIMIT_NOFILE, &after);
  CHECK(after.rlim_cur == before.rlim_cur);
}

TEST_CASE("oom_score_adj is set before the user changes") {
  if (!have(is_root(), "needs root: another user")) return;
  process::SpawnRequest request = as_nobody();
  request.oom_score_adj = 789;
  CHECK(Cat(request).file("oom_score_adj") == "789\n");
}

TEST_CASE("a child of another user has that user's ids and groups, and nothing of root's") {
  if (!have(is_root(), "needs root: another user")) return;
  const Cat cat(as_nobody());
  CHECK(cat.status_line("Uid") == "Uid:\t65534\t65534\t65534\t65534");
  CHECK(cat.status_line("Gid") == "Gid:\t65534\t65534\t65534\t65534");
  CHECK(cat.status_line("Groups") == "Groups:\t4 24 ");
  CHECK(cat.status_line("CapEff") == "CapEff:\t0000000000000000");
  CHECK(::getuid() == 0);
}

TEST_CASE("the parent stays dumpable after a child changed its user, with or without success") {
  if (!have(is_root(), "needs root: another user")) return;
  {
    const Cat cat(as_nobody());
    CHECK(::prctl(PR_GET_DUMPABLE) == 1);
  }
  process::SpawnRequest request = as_nobody();
  request.command = {"/nonexistent"};
  CHECK(failure_of(request) == "exec /nonexistent: No such file or directory");
  CHECK(::prctl(PR_GET_DUMPABLE) == 1);
}

TEST_CASE("a child dies with its parent, another user's too") {
  std::vector<process::SpawnRequest> requests(1);
  if (have(is_root(), "needs root: another user")) requests.push_back(as_nobody());
  for (const process::SpawnRequest& request : requests) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const UniqueFd reader(ends[0]);
    UniqueFd writer(ends[1]);
    const pid_t parent = ::fork();
    if (parent == 0) {
      const Cat cat(request);
      const pid_t pid = cat.pid();
      if (::write(writer.get(), &pid, sizeof pid) != sizeof pid) ::_exit(1);
      for (;;) ::pause();
    }
    writer.reset();
    pid_t child = 0;
    REQUIRE(::read(reader.get(), &child, sizeof child) == sizeof child);
    CHECK(alive(child));
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
    CHECK(wait_until([&] { return !alive(child); }));
    ::waitpid(child, nullptr, 0);  // ours by now where the test is a subreaper
  }
}

TEST_CASE("one Spawner serves again and again, also after a failure") {
  auto spawner = process::Spawner::create();
  REQUIRE(spawner);
  for (int i = 0; i < 50; ++i) {
    auto request = program({i % 2 == 0 ? "/bin/true" : "/nonexistent"});
    const auto child = spawner->spawn(request);
    CHECK(child.has_value() == (i % 2 == 0));
    int status = -1;
    REQUIRE(::waitpid(-1, &status, 0) > 0);
    CHECK(WEXITSTATUS(status) == (i % 2 == 0 ? 0 : 127));
  }
}

namespace {

process::WorkerCgroup cgroup_in(const Nest& nest) {
  auto cgroup = process::WorkerCgroup::create_below(nest.path(), "app");
  REQUIRE_MESSAGE(cgroup.has_value(), (cgroup ? "" : cgroup.error().text()));
  return *std::move(cgroup);
}

// The names of the cgroups that /proc/PID/cgroup shows for version 2.
std::string unified_line(const Cat& cat) {
  const std::string text = cat.file("cgroup");
  return text.substr(text.find("0::"));
}

}  // namespace

TEST_CASE("a child is born in the cgroup that was asked for, again and again") {
  const auto nest = Nest::make();
  if (!usable(nest)) return;
  const process::WorkerCgroup cgroup = cgroup_in(*nest);
  const std::string name = std::filesystem::path(cgroup.directory()).filename();
  for (int i = 0; i < 20; ++i) {
    process::SpawnRequest request;
    request.cgroup.directory = cgroup.directory_fd();
    const Cat cat(request);
    CHECK(unified_line(cat).contains(name));
    CHECK(cat.fds() == "0 1 2");
  }
}

TEST_CASE("where it cannot be born in the cgroup it moves there") {
  const auto nest = Nest::make();
  if (!usable(nest)) return;
  const process::WorkerCgroup cgroup = cgroup_in(*nest);
  const UniqueFd no_cgroup(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  process::SpawnRequest request;
  request.cgroup = {.directory = no_cgroup.get(), .procs = cgroup.procs_path()};
  const Cat cat(request);
  CHECK(unified_line(cat).contains(std::filesystem::path(cgroup.directory()).filename().string()));
}

TEST_CASE("a child enters a cgroup by an open descriptor, wherever its own are to be") {
  const auto nest = Nest::make();
  if (!usable(nest)) return;
  const process::WorkerCgroup cgroup = cgroup_in(*nest);
  const UniqueFd procs(::open(cgroup.procs_path().c_str(), O_WRONLY | O_CLOEXEC));
  process::SpawnRequest request;
  const UniqueFd file = named_file("many");
  request.fds.assign(static_cast<std::size_t>(procs.get()) + 2, file.get());
  request.cgroup.memory_procs = procs.get();
  const Cat cat(request);
  CHECK(unified_line(cat).contains(std::filesystem::path(cgroup.directory()).filename().string()));
}

}  // namespace perch::test
