// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/owner_probe.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string_view>

#include "common/posix/file.h"
#include "common/posix/unix_socket.h"

namespace perch::listener {
namespace {

namespace fs = std::filesystem;

// A node with tens of thousands of sockets has a few MiB of them.
constexpr std::size_t kSocketTableLimit = 64U << 20U;

// The inode in sockfs, field 7 of /proc/net/unix (proc_pid_net(5)). Connections that nobody has
// accepted carry the listener's path too, and no inode.
std::optional<std::string> sockfs_inode(const std::string& path) {
  const auto table = read_file("/proc/net/unix", kSocketTableLimit);
  if (!table) return std::nullopt;
  std::istringstream lines(*table);
  const std::string ending = " " + path;
  for (std::string line; std::getline(lines, line);) {
    if (!line.ends_with(ending)) continue;
    std::istringstream fields(line);
    std::string inode;
    for (int field = 0; field < 7; ++field) fields >> inode;
    if (inode != "0") return inode;
  }
  return std::nullopt;
}

bool is_pid(const std::string& name) {
  return !name.empty() &&
         std::ranges::all_of(name, [](unsigned char c) { return c >= '0' && c <= '9'; });
}

bool holds(const fs::path& process, const std::string& link) {
  std::error_code error;
  for (fs::directory_iterator fd(process / "fd", error), end; !error && fd != end;
       fd.increment(error)) {
    std::error_code unreadable;
    if (fs::read_symlink(fd->path(), unreadable) == link) return true;
  }
  return false;
}

std::optional<fs::path> holder(const std::string& inode) {
  const std::string link = "socket:[" + inode + "]";
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_pid(entry->path().filename()) && holds(entry->path(), link)) return entry->path();
  }
  return std::nullopt;
}

}  // namespace

Probe probe_owner(const PinnedFile& file) {
  const auto connected = unix_connect(file.proc_path(), SOCK_DGRAM, Blocking::No);
  if (connected) return {.liveness = Liveness::Live, .error = 0};
  const int number = connected.error().code().value();
  switch (number) {
    case ECONNREFUSED:
      return {.liveness = Liveness::Stale, .error = number};
    case EPROTOTYPE:
    case EAGAIN:
      return {.liveness = Liveness::Live, .error = number};
    default:
      return {.liveness = Liveness::Unknown, .error = number};
  }
}

std::string describe_owner(const std::string& path) {
  const auto inode = sockfs_inode(path);
  const auto process = inode ? holder(*inode) : std::nullopt;
  if (!process) return "a live socket";
  auto command = read_file((*process / "comm").string()).value_or("");
  command = command.substr(0, command.find('\n'));
  return "a live socket (pid " + process->filename().string() +
         (command.empty() ? "" : ", " + command) + ")";
}

}  // namespace perch::listener
