// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/children.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <string>
#include <string_view>

#include "common/posix/file.h"
#include "supervisor/process/process_tree.h"

namespace perch::process {
namespace {

// "1234 1235 ": nothing else is in such lists.
void append_pids(std::string_view text, std::vector<pid_t>& pids) {
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    pid_t pid = 0;
    const auto [stop, error] = std::from_chars(at, end, pid);
    if (error != std::errc()) return;
    pids.push_back(pid);
    at = stop == end ? end : stop + 1;
  }
}

// The numeric names in a directory of /proc.
std::vector<pid_t> numeric_entries(const std::string& directory) {
  std::vector<pid_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
  if (!stream) return pids;
  while (const dirent* entry = ::readdir(stream.get())) {
    append_pids(static_cast<const char*>(entry->d_name), pids);
  }
  return pids;
}

// Kernels without CONFIG_PROC_CHILDREN: every process is asked for its parent.
std::vector<pid_t> children_by_search(pid_t parent) {
  std::vector<pid_t> children;
  for (const pid_t pid : numeric_entries("/proc")) {
    ProcessStat stat;
    if (read_stat(pid, stat) && stat.parent == parent) children.push_back(pid);
  }
  return children;
}

std::string task_directory(pid_t pid) { return "/proc/" + std::to_string(pid) + "/task"; }

std::string list_path(pid_t pid, pid_t thread) {
  return task_directory(pid) + "/" + std::to_string(thread) + "/children";
}

// The kernel writes whole numbers, a page at a time: an answer with room for one more is the last.
// Asking until nothing comes would cost a second system call each time.
Result<std::string> read_list(int fd) {
  constexpr std::size_t kPage = 4096;
  constexpr std::size_t kRoom = 16;
  std::string text;
  std::array<char, kPage> page;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by pread
  for (;;) {
    const ssize_t got = ::pread(fd, page.data(), page.size(), static_cast<off_t>(text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail("read");
    text.append(page.data(), static_cast<std::size_t>(got));
    if (static_cast<std::size_t>(got) + kRoom <= kPage) return text;
  }
}

}  // namespace

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  for (const pid_t thread : numeric_entries(task_directory(parent))) {
    const auto text = read_file(list_path(parent, thread));
    if (!text) return text.error().is(ENOENT) ? children_by_search(parent) : children;
    append_pids(*text, children);
  }
  return children;
}

OwnChildren::OwnChildren() : self_(::getpid()) {
  if (auto file = open_file(list_path(self_, self_), O_RDONLY)) file_ = std::move(*file);
}

std::vector<pid_t> OwnChildren::list() const {
  const auto text = file_ ? read_list(file_.get()) : fail("read", ENOENT);
  if (!text) return children_by_search(self_);
  std::vector<pid_t> children;
  append_pids(*text, children);
  return children;
}

}  // namespace perch::process
