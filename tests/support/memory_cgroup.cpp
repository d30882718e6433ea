// SPDX-License-Identifier: Apache-2.0
#include "tests/support/memory_cgroup.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "common/posix/file.h"
#include "tests/support/wait_until.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

// The path behind "N:memory:" (v1) or "0::" (v2) of /proc/self/cgroup.
std::optional<std::string> own_cgroup(const std::string& controller) {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (line.substr(first + 1, second - first - 1) == controller) return line.substr(second + 1);
  }
  return std::nullopt;
}

// Inside a container the path is the host's and the mount shows the container's part alone.
std::string below_mount(const std::string& mount, const std::string& path) {
  return fs::exists(mount + path + "/cgroup.procs") ? mount + path : mount;
}

std::optional<std::string> parent_directory() {
  if (const auto path = own_cgroup("memory")) return below_mount("/sys/fs/cgroup/memory", *path);
  const auto path = own_cgroup("");
  if (!path) return std::nullopt;
  const std::string parent = below_mount("/sys/fs/cgroup", *path);
  (void)write_file(parent + "/cgroup.subtree_control", "+memory");
  const std::string enabled = read_file(parent + "/cgroup.subtree_control").value_or("");
  return enabled.contains("memory") ? std::optional(parent) : std::nullopt;
}

}  // namespace

std::unique_ptr<MemoryCgroup> MemoryCgroup::make(std::uint64_t limit_bytes) {
  const auto parent = parent_directory();
  if (!parent) return nullptr;
  std::string path = *parent + "/perch-test-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) return nullptr;
  std::unique_ptr<MemoryCgroup> cgroup(new MemoryCgroup(std::move(path)));
  return cgroup->limit(limit_bytes) ? std::move(cgroup) : nullptr;
}

// A cgroup stays busy for a moment after its last process was reaped, and a perch that was killed
// leaves its workers' in it.
MemoryCgroup::~MemoryCgroup() {
  (void)wait_until([this] {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(path_, ignored)) {
      if (entry.is_directory()) ::rmdir(entry.path().c_str());
    }
    return ::rmdir(path_.c_str()) == 0;
  });
}

bool MemoryCgroup::limit(std::uint64_t bytes) {
  const std::string text = std::to_string(bytes);
  if (fs::exists(path_ + "/memory.max")) {
    (void)write_file(path_ + "/memory.swap.max", "0");  // absent without swap accounting
    return write_file(path_ + "/memory.max", text).has_value();
  }
  const bool limited = write_file(path_ + "/memory.limit_in_bytes", text).has_value();
  (void)write_file(path_ + "/memory.memsw.limit_in_bytes", text);
  return limited;
}

std::string MemoryCgroup::oom_counter() const {
  const bool v2 = fs::exists(path_ + "/memory.events");
  return path_ + (v2 ? "/memory.events" : "/memory.oom_control");
}

std::uint64_t MemoryCgroup::oom_kills() const {
  std::ifstream file(oom_counter());
  std::string name;
  for (std::uint64_t value = 0; file >> name >> value;) {
    if (name == "oom_kill") return value;
  }
  return 0;
}

}  // namespace perch::test
