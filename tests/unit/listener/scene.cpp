// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/listener/scene.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "common/posix/file.h"
#include "common/posix/unix_socket.h"

namespace perch::listener {
namespace {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  return std::move(*result);
}

void must_succeed(int result, const std::string& what) {
  if (result != 0) throw std::runtime_error(Error::from_errno(errno, what).text());
}

std::string in_words(const Result<ClaimOutcome>& outcome) {
  if (!outcome) return "error: " + outcome.error().text();
  if (const auto* owner = std::get_if<Owned>(&*outcome)) return "owned: " + owner->by;
  if (const auto* refusal = std::get_if<Refused>(&*outcome)) return "refused: " + refusal->why;
  return "claimed";
}

// What `body` says in a process of its own.
std::string in_process(const std::function<std::string()>& body) {
  std::array<int, 2> ends{};
  must_succeed(::pipe2(ends.data(), O_CLOEXEC), "pipe2");
  UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  Process process([&] {
    const std::string said = body();
    return ::write(to.get(), said.data(), said.size()) < 0 ? 1 : 0;
  });
  to.reset();
  std::string said;
  std::array<char, 1024> chunk{};
  for (ssize_t got = 0; (got = ::read(from.get(), chunk.data(), chunk.size())) > 0;) {
    said.append(chunk.data(), static_cast<std::size_t>(got));
  }
  process.wait();
  return said;
}

void forbid(const Forbidden& forbidden) {
  constexpr auto kNumber = static_cast<std::uint32_t>(offsetof(seccomp_data, nr));
  constexpr auto kFifth = static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 4 * 8);
  const auto number = static_cast<std::uint32_t>(forbidden.syscall);
  const auto deny = forbidden.error
                        ? SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(*forbidden.error)
                        : SECCOMP_RET_KILL_PROCESS;
  std::array<sock_filter, 6> filter{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kNumber),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kFifth),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, deny),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  if (forbidden.fifth_argument) {
    filter[3] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, *forbidden.fifth_argument, 0, 1);
  }
  const sock_fprog program{.len = filter.size(), .filter = filter.data()};
  must_succeed(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl");
  must_succeed(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp");
}

}  // namespace

Scene::Scene() {
  std::string name = "/tmp/pl-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  directory_ = name;
}

Scene::~Scene() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

Process::Process(const std::function<int()>& body) : pid_(::fork()) {
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ > 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  int code = 99;
  try {
    code = body();
  } catch (...) {
    code = 98;
  }
  ::_exit(code);
}

Process::~Process() {
  if (!code_) kill_hard();
}

void Process::kill_hard() {
  ::kill(pid_, SIGKILL);
  wait();
}

int Process::wait() {
  int status = 0;
  if (!code_ && ::waitpid(pid_, &status, 0) == pid_) {
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return code_.value_or(-1);
}

bool Process::has_ended() {
  siginfo_t info{};
  return code_ ||
         (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
          info.si_pid == pid_);
}

bool wait_until(const std::function<bool()>& condition, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

UniqueFd bind_socket(const std::string& path, int type) {
  const auto address = must(unix_address(path));
  auto socket = must(unix_socket(type, Blocking::No));
  must_succeed(::bind(socket.get(), address.get(), address.size), "bind " + path);
  return socket;
}

UniqueFd listen_socket(const std::string& path, int backlog) {
  auto socket = bind_socket(path);
  must_succeed(::listen(socket.get(), backlog), "listen");
  return socket;
}

void leave_stale_socket(const std::string& path) { bind_socket(path).reset(); }

int try_connect(const std::string& path) {
  const auto connected = unix_connect(path, SOCK_STREAM, Blocking::No);
  return connected ? 0 : connected.error().code().value();
}

std::optional<struct stat> look_at(const std::string& path) {
  struct stat found{};
  if (::lstat(path.c_str(), &found) != 0) return std::nullopt;
  return found;
}

ino_t inode_of(const std::string& path) {
  const auto found = look_at(path);
  return found ? found->st_ino : 0;
}

void write_text(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

std::string read_text(const std::string& path) { return must(read_file(path)); }

ClaimRequest request_for(const std::string& path) {
  ClaimRequest request;
  request.path = path;
  request.backlog = 64;
  return request;
}

Listener must_claim(const ClaimRequest& request) {
  Warnings warnings;
  auto outcome = claim(request, warnings);
  if (in_words(outcome) != "claimed") throw std::runtime_error(in_words(outcome));
  for (const auto& warning : warnings) throw std::runtime_error("unexpected warning: " + warning);
  return std::move(std::get<Listener>(*outcome));
}

std::string try_claim(const ClaimRequest& request) {
  Warnings warnings;
  return in_words(claim(request, warnings));
}

std::string try_claim_as(uid_t uid, const ClaimRequest& request) {
  return in_process([&] {
    must_succeed(::setgroups(0, nullptr), "setgroups");
    must_succeed(::setgid(uid), "setgid");
    must_succeed(::setuid(uid), "setuid");
    return try_claim(request);
  });
}

std::string try_claim_without(const Forbidden& forbidden, const ClaimRequest& request,
                              const std::function<std::string(Listener&)>& describe) {
  return in_process([&] {
    forbid(forbidden);
    Warnings warnings;
    auto outcome = claim(request, warnings);
    std::string said = in_words(outcome);
    if (said == "claimed") said += " " + describe(std::get<Listener>(*outcome));
    for (const auto& warning : warnings) said += "\nwarning: " + warning;
    return said;
  });
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace perch::listener
