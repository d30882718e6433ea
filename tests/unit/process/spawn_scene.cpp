// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/process/spawn_scene.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <system_error>

#include "common/posix/file.h"

namespace perch::test {
namespace {

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw std::system_error(errno, std::generic_category(), "pipe2");
    }
    reader = UniqueFd(ends[0]);
    writer = UniqueFd(ends[1]);
  }
  UniqueFd reader;
  UniqueFd writer;
};

process::Child spawn_or_throw(const process::SpawnRequest& request) {
  auto spawner = process::Spawner::create();
  if (!spawner) throw std::runtime_error(spawner.error().text());
  auto child = spawner->spawn(request);
  if (!child) throw std::runtime_error(child.error().text());
  return std::move(*child);
}

}  // namespace

Cat::Cat(process::SpawnRequest request) {
  Pipe in;
  Pipe out;
  request.command = {"/bin/cat"};
  request.fds.insert(request.fds.begin(), {in.reader.get(), out.writer.get(), STDERR_FILENO});
  child_ = spawn_or_throw(request);
  input_ = std::move(in.writer);
  output_ = std::move(out.reader);
  char echo = '?';
  if (::write(input_.get(), "!", 1) != 1 || ::read(output_.get(), &echo, 1) != 1) {
    throw std::runtime_error("cat does not answer");
  }
}

Cat::~Cat() {
  ::kill(child_.pid, SIGKILL);
  ::waitpid(child_.pid, nullptr, 0);
}

std::string Cat::file(const std::string& name) const {
  return read_file("/proc/" + std::to_string(pid()) + "/" + name).value_or("(unreadable)");
}

std::string Cat::link(const std::string& name) const {
  std::error_code failure;
  return std::filesystem::read_symlink("/proc/" + std::to_string(pid()) + "/" + name, failure);
}

std::string Cat::status_line(const std::string& name) const {
  const std::string text = file("status");
  const std::size_t start = text.find("\n" + name + ":") + 1;
  return text.substr(start, text.find('\n', start) - start);
}

std::string Cat::fds() const {
  std::set<int> numbers;
  const std::string directory = "/proc/" + std::to_string(pid()) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    numbers.insert(std::stoi(entry.path().filename()));
  }
  std::string text;
  for (const int number : numbers) text += (text.empty() ? "" : " ") + std::to_string(number);
  return text;
}

process::SpawnRequest program(std::vector<std::string> command) {
  process::SpawnRequest request;
  request.command = std::move(command);
  request.fds = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
  return request;
}

RunToEnd run_to_end(process::SpawnRequest request) {
  const UniqueFd out = named_file("out");
  request.fds.at(STDOUT_FILENO) = out.get();
  const process::Child child = spawn_or_throw(request);
  int status = 0;
  ::waitpid(child.pid, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_open_file(out.get()).value_or("")};
}

std::string failure_of(const process::SpawnRequest& request) {
  auto spawner = process::Spawner::create();
  if (!spawner) return spawner.error().text();
  const auto child = spawner->spawn(request);
  if (child) ::kill(child->pid, SIGKILL);
  ::waitpid(-1, nullptr, 0);
  return child ? "(started)" : child.error().text();
}

UniqueFd named_file(const std::string& name) {
  return UniqueFd(::memfd_create(name.c_str(), MFD_CLOEXEC));
}

}  // namespace perch::test
