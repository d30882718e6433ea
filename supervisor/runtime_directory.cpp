// SPDX-License-Identifier: Apache-2.0
#include "supervisor/runtime_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

namespace perch {
namespace {

// Leaves room for "/notify.PID.COUNT" within sun_path.
constexpr std::size_t kMaxDirectory = 70;

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

}  // namespace

RuntimeDirectory::RuntimeDirectory(std::string control)
    : control_(std::move(control)), prefix_("notify." + std::to_string(::getpid()) + ".") {}

RuntimeDirectory::~RuntimeDirectory() {
  if (made_) ::rmdir(directory_.c_str());
}

void RuntimeDirectory::choose() {
  chosen_ = true;
  directory_ = std::filesystem::path(control_).parent_path();
  if (serves(directory_)) return;
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
