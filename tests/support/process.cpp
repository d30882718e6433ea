// SPDX-License-Identifier: Apache-2.0
#include "tests/support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <set>
#include <stdexcept>
#include <system_error>

#include "common/posix/file.h"
#include "tests/support/process_info.h"
#include "tests/support/transcript.h"

namespace perch::test {
namespace {

// Copies lie above every descriptor a test asks for, so that placing one never overwrites another.
constexpr int kFirstCopy = 500;

[[noreturn]] void throw_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// The programs that a Process object owns; every other child is an orphan of one that is gone.
std::set<pid_t>& owned() {
  static std::set<pid_t> pids;
  return pids;
}

void kill_orphans() {
  for (bool found = true; found;) {
    found = false;
    for (const pid_t pid : children_of(::getpid())) {
      if (owned().contains(pid)) continue;
      found = true;
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }
}

// A memory file in append mode: all who inherit it write one after the other.
UniqueFd output_file(const char* name) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
  if (!fd || ::fcntl(fd.get(), F_SETFL, O_APPEND) != 0) throw_errno("memfd_create");
  return fd;
}

std::string content(const UniqueFd& fd) { return read_open_file(fd.get()).value_or(""); }

std::vector<std::string> merged_environment(const std::vector<std::string>& additions) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string_view name = text.substr(0, text.find('=') + 1);
    const bool replaced = std::ranges::any_of(
        additions, [&](const std::string& addition) { return addition.starts_with(name); });
    if (!replaced) merged.emplace_back(text);
  }
  merged.insert(merged.end(), additions.begin(), additions.end());
  return merged;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// All that the child needs, made before fork: a test may have threads, so the child only makes
// system calls.
class Launch {
 public:
  Launch(const Command& command, int out, int err)
      : argv_(command.argv), environment_(merged_environment(command.environment)) {
    std::map<int, int> fds = command.fds;
    null_ = open("/dev/null", O_RDWR);
    fds.insert({{STDIN_FILENO, null_.get()}, {STDOUT_FILENO, out}, {STDERR_FILENO, err}});
    for (const auto& [target, source] : fds) {
      UniqueFd copy(::fcntl(source, F_DUPFD_CLOEXEC, kFirstCopy));
      if (!copy) throw_errno("F_DUPFD_CLOEXEC");
      placed_.emplace_back(target, std::move(copy));
    }
    for (const std::string& path : command.cgroups) cgroups_.push_back(open(path, O_WRONLY));
    argv_pointers_ = pointers(argv_);
    environment_pointers_ = pointers(environment_);
  }

  [[noreturn]] void exec() const {
    for (const UniqueFd& cgroup : cgroups_) {
      if (::write(cgroup.get(), "0", 1) != 1) ::_exit(126);
    }
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    for (const auto& [target, copy] : placed_) ::dup2(copy.get(), target);
    // However the tests were started: nohup leaves SIGHUP ignored.
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execvpe(argv_pointers_.front(), argv_pointers_.data(), environment_pointers_.data());
    ::dprintf(STDERR_FILENO, "cannot run %s\n", argv_pointers_.front());
    ::_exit(127);
  }

 private:
  static UniqueFd open(const std::string& path, int flags) {
    auto fd = open_file(path, flags);
    if (!fd) throw std::runtime_error(fd.error().text());
    return std::move(*fd);
  }

  std::vector<std::string> argv_;
  std::vector<std::string> environment_;
  std::vector<char*> argv_pointers_;
  std::vector<char*> environment_pointers_;
  UniqueFd null_;
  std::vector<std::pair<int, UniqueFd>> placed_;
  std::vector<UniqueFd> cgroups_;
};

}  // namespace

Process::Process(const Command& command)
    : name_(command.argv.at(0)), out_(output_file("stdout")), err_(output_file("stderr")) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const Launch launch(command, out_.get(), err_.get());
  pid_ = ::fork();
  if (pid_ < 0) throw_errno("fork");
  if (pid_ == 0) launch.exec();
  owned().insert(pid_);
}

Process::~Process() {
  if (!ending_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  owned().erase(pid_);
  kill_orphans();
  add_to_transcript(name_ + ": stdout", content(out_));
  add_to_transcript(name_ + ": stderr", content(err_));
}

void Process::signal(int number) const {
  if (!ending_) ::kill(pid_, number);
}

std::optional<Ending> Process::ending() {
  int status = 0;
  if (!ending_ && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    ending_ = WIFSIGNALED(status) ? killed_by(WTERMSIG(status)) : exited(WEXITSTATUS(status));
  }
  return ending_;
}

std::optional<Ending> Process::wait(std::chrono::milliseconds limit) {
  (void)wait_until([this] { return ending().has_value(); }, limit);
  return ending_;
}

std::string Process::out() const { return content(out_); }
std::string Process::err() const { return content(err_); }

Finished run(const Command& command) {
  Process process(command);
  const auto ending = process.wait();
  if (!ending) throw std::runtime_error(command.argv.at(0) + " does not end");
  return {.ending = *ending, .out = process.out(), .err = process.err()};
}

}  // namespace perch::test
