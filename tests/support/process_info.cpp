// SPDX-License-Identifier: Apache-2.0
#include "tests/support/process_info.h"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace perch::test {
namespace {

std::string directory_of(pid_t pid) { return "/proc/" + std::to_string(pid); }

std::size_t count_entries(const std::string& directory) {
  std::size_t count = 0;
  std::error_code failure;  // the process may go while we look
  for (std::filesystem::directory_iterator entry(directory, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    ++count;
  }
  return count;
}

}  // namespace

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  std::error_code failure;
  for (std::filesystem::directory_iterator task(directory_of(pid) + "/task", failure), end;
       !failure && task != end; task.increment(failure)) {
    std::ifstream file(task->path() / "children");
    for (pid_t child = 0; file >> child;) children.push_back(child);
  }
  return children;
}

char state_of(pid_t pid) {
  const std::string state = status_field(pid, "State");
  return state.empty() ? '?' : state.front();
}

bool alive(pid_t pid) {
  const char state = state_of(pid);
  return state != '?' && state != 'Z' && state != 'X';
}

std::string status_field(pid_t pid, const std::string& name) {
  std::ifstream file(directory_of(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name + ":")) continue;
    std::string value;
    std::istringstream(line.substr(name.size() + 1)) >> value;
    return value;
  }
  return "";
}

std::size_t open_fds(pid_t pid) { return count_entries(directory_of(pid) + "/fd"); }
std::size_t threads(pid_t pid) { return count_entries(directory_of(pid) + "/task"); }

std::size_t resident_kib(pid_t pid) {
  const std::string value = status_field(pid, "VmRSS");
  return value.empty() ? 0 : std::stoul(value);
}

}  // namespace perch::test
