// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/spawn.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "common/posix/fd_passing.h"
#include "common/posix/unix_socket.h"
#include "supervisor/process/clone_into.h"

namespace perch::process {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kStackSize = 64U << 10U;
constexpr std::string_view kListenPid = "LISTEN_PID=";
constexpr std::size_t kPidDigits = 20;
constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// A null-terminated char* array over strings that stay where they are.
class CStringArray {
 public:
  explicit CStringArray(std::vector<std::string> texts) : texts_(std::move(texts)) {
    for (std::string& text : texts_) pointers_.push_back(text.data());
    pointers_.push_back(nullptr);
  }
  [[nodiscard]] char* const* get() const { return pointers_.data(); }
  [[nodiscard]] std::span<char* const> strings() const {
    return std::span(pointers_).first(texts_.size());
  }

 private:
  std::vector<std::string> texts_;
  std::vector<char*> pointers_;
};

std::string path_of(const std::vector<std::string>& environment) {
  for (const std::string& entry : environment) {
    if (entry.starts_with("PATH=")) return entry.substr(5);
  }
  return std::string(kDefaultPath);
}

std::vector<std::string> with_listen_pid(const SpawnRequest& request) {
  std::vector<std::string> environment = request.environment;
  if (request.listen_pid) {
    environment.push_back(std::string(kListenPid) + std::string(kPidDigits, '0'));
  }
  return environment;
}

// Everything that a ChildPlan points to.
struct PlanStorage {
  CStringArray argv;
  CStringArray environment;
  CStringArray candidates;
  std::string oom_score_adj;
  std::vector<FdPlacement> fds;

  explicit PlanStorage(const SpawnRequest& request)
      : argv(request.command),
        environment(with_listen_pid(request)),
        candidates(exec_candidates(request.command.front(), path_of(request.environment))) {
    if (request.oom_score_adj) oom_score_adj = std::to_string(*request.oom_score_adj);
    for (std::size_t i = 0; i < request.fds.size(); ++i) {
      fds.push_back({request.fds[i], static_cast<int>(i)});
    }
  }

  ChildPlan plan(const SpawnRequest& request) {
    ChildPlan plan;
    plan.candidates = candidates.strings();
    plan.argv = argv.get();
    plan.environment = environment.get();
    if (request.listen_pid) {
      plan.listen_pid = environment.strings().back() + kListenPid.size();
    }
    plan.fds = fds;
    plan.memory_procs = request.cgroup.memory_procs;
    if (!oom_score_adj.empty()) plan.oom_score_adj = oom_score_adj.c_str();
    plan.limits = request.limits;
    if (!request.directory.empty()) plan.directory = request.directory.c_str();
    plan.umask = request.umask;
    if (request.identity) {
      plan.change_identity = true;
      plan.groups = request.identity->groups;
      plan.gid = request.identity->gid;
      plan.uid = request.identity->uid;
    }
    plan.capabilities = request.capabilities;
    plan.filter.program = request.filter;
    plan.filter.no_new_privs = request.no_new_privs;
    plan.outlives_parent = request.outlives_parent;
    return plan;
  }
};

std::vector<int> ignored_signals() {
  std::vector<int> ignored;
  for (int number = 1; number < _NSIG; ++number) {
    struct sigaction now{};
    if (::sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) {
      ignored.push_back(number);
    }
  }
  return ignored;
}

// Which of two it was the child does not say.
std::string subject_of(const CgroupEntry& cgroup) {
  if (cgroup.memory_procs < 0) return cgroup.procs;
  std::error_code ignored;
  const std::string memory =
      fs::read_symlink("/proc/self/fd/" + std::to_string(cgroup.memory_procs), ignored);
  return cgroup.procs.empty() ? memory : memory + " or " + cgroup.procs;
}

std::string subject_of(Stage stage, const SpawnRequest& request) {
  switch (stage) {
    case Stage::Exec:
      return request.command.front();
    case Stage::Directory:
      return request.directory;
    case Stage::Cgroup:
      return subject_of(request.cgroup);
    case Stage::User:
      return request.identity ? std::to_string(request.identity->uid) : "";
    case Stage::Group:
      return request.identity ? std::to_string(request.identity->gid) : "";
    case Stage::Clone:
    case Stage::Signals:
    case Stage::Session:
    case Stage::Intercept:
    case Stage::Descriptors:
    case Stage::OomScore:
    case Stage::Rlimit:
    case Stage::Groups:
    case Stage::Capabilities:
    case Stage::DeathSignal:
      return "";
  }
  return "";
}

// How the notify descriptor comes out of the child: our end, and the child's. Empty without a
// filter.
using NotifyLine = std::pair<UniqueFd, UniqueFd>;

Result<NotifyLine> open_notify_line(const SpawnRequest& request) {
  return request.filter.empty() ? NotifyLine() : seqpacket_pair();
}

// It was sent before the exec. What perch has no room for (EMFILE) does not arrive.
bool take_notify(const NotifyLine& line, Child& child) {
  if (!line.first) return true;
  auto sent = receive_datagram(line.first.get());
  if (!sent || sent->fds.empty()) return false;
  child.notify = std::move(sent->fds.front());
  return true;
}

}  // namespace

std::string SpawnFailure::text() const {
  std::string text(name(stage));
  if (!subject.empty()) text.append(" ").append(subject);
  return Error::from_errno(error, std::move(text)).text();
}

std::vector<std::string> exec_candidates(const std::string& program, const std::string& path) {
  if (program.find('/') != std::string::npos) return {program};
  std::vector<std::string> candidates;
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find(':', start), path.size());
    const std::string directory = path.substr(start, end - start);
    candidates.push_back((directory.empty() ? "." : directory) + "/" + program);
    start = end + 1;
  }
  return candidates;
}

Result<Spawner> Spawner::create() {
  const auto guard = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t size = guard + kStackSize;
  void* stack =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return fail("map a stack");
  Spawner spawner(stack, size);
  if (::mprotect(stack, guard, PROT_NONE) != 0) return fail("guard a stack");
  return spawner;
}

Spawner::Spawner(void* stack, std::size_t size)
    : stack_(stack), size_(size), self_(::getpid()), ignored_(ignored_signals()) {}

Spawner::Spawner(Spawner&& other) noexcept
    : stack_(std::exchange(other.stack_, nullptr)),
      size_(other.size_),
      self_(other.self_),
      ignored_(std::move(other.ignored_)),
      has_clone_into_(other.has_clone_into_) {}

Spawner::~Spawner() {
  if (stack_ != nullptr) ::munmap(stack_, size_);
}

// Where a child cannot be born in its cgroup it moves there: that helps, or says what is wrong.
pid_t Spawner::start(ChildPlan& plan, const CgroupEntry& cgroup, int& pidfd) {
  if (cgroup.directory >= 0 && has_clone_into_) {
    const pid_t pid = clone_into(cgroup.directory, {stack_, size_}, run_child, &plan, &pidfd);
    const bool has_run = plan.pid != 0;
    if (pid >= 0 && has_run) return pid;
    // Killed at its birth, as Linux 6.18 does in a cgroup whose members were killed before by
    // cgroup.kill; it is reaped as an orphan.
    if (pid >= 0) UniqueFd(std::exchange(pidfd, -1)).reset();
    // Filters of containers' runtimes answer so too.
    if (pid < 0 && (errno == ENOSYS || errno == EPERM)) has_clone_into_ = false;
  }
  if (!cgroup.procs.empty()) plan.cgroup_procs = cgroup.procs.c_str();
  return ::clone(run_child, static_cast<char*>(stack_) + size_,
                 CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
}

std::expected<Child, SpawnFailure> Spawner::spawn(const SpawnRequest& request) {
  PlanStorage storage(request);
  ChildPlan plan = storage.plan(request);
  plan.ignored_signals = ignored_;
  plan.parent = self_;
  const auto line = open_notify_line(request);
  if (!line) {
    return std::unexpected(SpawnFailure{Stage::Intercept, line.error().code().value(), ""});
  }
  plan.filter.socket = line->second.get();
  int pidfd = -1;
  const pid_t pid = start(plan, request.cgroup, pidfd);
  if (pid < 0) return std::unexpected(SpawnFailure{Stage::Clone, errno, ""});
  // A raw setresuid in the child takes the dumpable flag from the memory that both shared.
  if (plan.change_identity) ::prctl(PR_SET_DUMPABLE, 1);
  Child child{pid, UniqueFd(pidfd), {}};
  if (plan.error == 0 && !take_notify(*line, child)) {
    // It runs already, and nobody would answer it.
    ::kill(pid, SIGKILL);
    plan.failed_at = Stage::Intercept;
    plan.error = EMFILE;
  }
  if (plan.error == 0) return child;
  // The failed child is a zombie, or about to be; the reaper takes it like any orphan.
  return std::unexpected(
      SpawnFailure{plan.failed_at, plan.error, subject_of(plan.failed_at, request)});
}

}  // namespace perch::process
