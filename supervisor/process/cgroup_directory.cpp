// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/cgroup_directory.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <utility>

#include "common/posix/file.h"
#include "supervisor/process/cgroup_file.h"

namespace perch::process {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "perch-";
constexpr std::chrono::milliseconds kEndOfMembers{1'000};

Result<UniqueFd> lock_directory(const std::string& path) {
  auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
  if (directory && ::flock(directory->get(), LOCK_EX | LOCK_NB) != 0) return fail("lock " + path);
  return directory;
}

// The deepest first: rmdir takes a cgroup without children. It refuses with EBUSY while there are
// members, and finds nothing where another perch was faster: both are as they should be.
void remove_tree(const std::string& path) {
  std::error_code ignored;
  for (fs::directory_iterator entry(path, ignored), end; entry != end; entry.increment(ignored)) {
    if (entry->is_directory(ignored)) remove_tree(entry->path());
  }
  ::rmdir(path.c_str());
}

// `perch-PID-WORKER`: other names, a `perch-ci`, are somebody else's.
bool is_of_a_perch(std::string_view name) {
  if (!name.starts_with(kPrefix)) return false;
  name.remove_prefix(kPrefix.size());
  const std::size_t digits = name.find_first_not_of("0123456789");
  return digits != 0 && digits != std::string_view::npos && name[digits] == '-' &&
         digits + 1 < name.size();
}

bool is_populated(int events) {
  const auto text = read_open_file(events);
  return text && keyed_number(*text, "populated").value_or(0) != 0;
}

// Zombies do not count as members; one that does not die for long is left.
void end_members(const std::string& path) {
  if (!write_file(path + "/cgroup.kill", "1")) return;
  const auto events = open_file(path + "/cgroup.events", O_RDONLY);
  if (!events) return;
  pollfd news{.fd = events->get(), .events = POLLPRI, .revents = 0};
  while (is_populated(events->get())) {
    if (::poll(&news, 1, static_cast<int>(kEndOfMembers.count())) <= 0) return;
  }
}

}  // namespace

CgroupDirectory::~CgroupDirectory() {
  if (lock_) remove_tree(path_);
}

Result<CgroupDirectory> CgroupDirectory::make_for(const std::string& parent,
                                                  std::string_view worker) {
  if (worker.empty() || worker.contains('/')) {
    return refuse("cgroup for worker \"" + std::string(worker) + "\": not a file name");
  }
  std::string path = parent + "/" + std::string(kPrefix) + std::to_string(::getpid()) + "-";
  path += worker;
  if (::mkdir(path.c_str(), 0755) != 0) return fail("create cgroup " + path);
  auto lock = lock_directory(path);
  if (!lock) return std::unexpected(std::move(lock.error()));
  // Until it was locked, another perch that starts just now could take it for a left-over.
  if (::access(path.c_str(), F_OK) != 0) return fail("create cgroup " + path);
  return CgroupDirectory(std::move(path), *std::move(lock));
}

Result<CgroupDirectory> CgroupDirectory::make_or_adopt(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return fail("create cgroup " + path);
  auto lock = lock_directory(path);
  if (!lock) return std::unexpected(std::move(lock.error()));
  return CgroupDirectory(path, *std::move(lock));
}

void remove_left_overs(const std::string& parent, LeftOvers populated) {
  std::error_code ignored;
  for (fs::directory_iterator entry(parent, ignored), end; entry != end; entry.increment(ignored)) {
    const bool ours = is_of_a_perch(entry->path().filename().native());
    if (!ours || !entry->is_directory(ignored)) continue;
    const auto lock = lock_directory(entry->path());
    if (!lock) continue;
    if (populated == LeftOvers::Kill) end_members(entry->path());
    remove_tree(entry->path());
  }
}

}  // namespace perch::process
