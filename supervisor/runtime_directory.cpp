// SPDX-License-Identifier: Apache-2.0
#include "supervisor/runtime_directory.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "common/posix/unix_socket.h"

namespace perch {
namespace {

// Leaves room for "/notify.PID.COUNT" within sun_path.
constexpr std::size_t kMaxDirectory = 70;
constexpr const char* kPrefix = "notify.";

bool serves(const std::string& directory) {
  return !directory.empty() && directory.size() <= kMaxDirectory &&
         ::faccessat(AT_FDCWD, directory.c_str(), W_OK | X_OK, AT_EACCESS) == 0;
}

std::string temporary_directory() {
  const char* configured = std::getenv("TMPDIR");
  std::string name = std::string(configured != nullptr ? configured : "/tmp") + "/perch-XXXXXX";
  if (name.size() > kMaxDirectory || ::mkdtemp(name.data()) == nullptr) return {};
  // Workers of other users pass through; they cannot list it.
  ::chmod(name.c_str(), 0711);
  return name;
}

// Nobody has it any more, in whatever pid namespace: connect(2), ECONNREFUSED.
bool is_dead_socket(const std::string& path) {
  const auto address = unix_address(path);
  const auto socket = unix_socket(SOCK_DGRAM, Blocking::No);
  return address && socket && ::connect(socket->get(), address->get(), address->size) != 0 &&
         errno == ECONNREFUSED;
}

// Of perches that were killed. One that had our pid is no exception: its names come again.
void remove_dead_sockets(const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<fs::path> dead;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(kPrefix)) continue;
    if (entry->symlink_status(error).type() != fs::file_type::socket) continue;
    if (is_dead_socket(entry->path())) dead.push_back(entry->path());
  }
  for (const fs::path& path : dead) ::unlink(path.c_str());
}

}  // namespace

RuntimeDirectory::RuntimeDirectory(std::string control)
    : control_(std::move(control)), prefix_(kPrefix + std::to_string(::getpid()) + ".") {}

RuntimeDirectory::~RuntimeDirectory() {
  if (made_) ::rmdir(directory_.c_str());
}

void RuntimeDirectory::choose() {
  chosen_ = true;
  directory_ = std::filesystem::path(control_).parent_path();
  if (serves(directory_)) return remove_dead_sockets(directory_);
  directory_ = temporary_directory();
  made_ = !directory_.empty();
}

std::string RuntimeDirectory::next_socket_name() {
  if (!chosen_) choose();
  if (directory_.empty()) return next_abstract_name();
  return directory_ + "/" + next_name();
}

std::string RuntimeDirectory::next_name_elsewhere() {
  choose();
  return next_socket_name();
}

std::string RuntimeDirectory::next_abstract_name() { return "@perch-" + next_name(); }

std::string RuntimeDirectory::next_name() { return prefix_ + std::to_string(++count_); }

}  // namespace perch
