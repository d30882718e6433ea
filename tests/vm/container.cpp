// SPDX-License-Identifier: Apache-2.0
#include "tests/vm/container.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "common/posix/file.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

// Run before perch, in namespaces of its own.
constexpr const char* kMount = "umount /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; ";
constexpr const char* kKeepGroupWritable =
    "mount --bind /sys/fs/cgroup/memory.oom.group /sys/fs/cgroup/memory.oom.group; ";
constexpr const char* kReadOnly = "mount -o remount,bind,ro /sys/fs/cgroup; ";
constexpr const char* kExec = "exec \"$@\"";

constexpr const char* kDockerCapabilities =
    "-all,+chown,+dac_override,+fsetid,+fowner,+mknod,+net_raw,+setgid,+setuid,+setfcap,+setpcap,"
    "+sys_chroot,+net_bind_service,+audit_write,+kill";

std::string preparation(CgroupAccess access) {
  std::string script = std::string("set -e; ") + kMount;
  if (access == CgroupAccess::GroupWritable) script += kKeepGroupWritable;
  if (access != CgroupAccess::Writable) script += kReadOnly;
  return script + kExec;
}

void write_or_throw(const std::string& path, const std::string& text) {
  if (auto written = write_file(path, text); !written) {
    throw std::runtime_error(written.error().text());
  }
}

std::vector<fs::path> directories_below(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(directory, gone)) {
    if (entry.is_directory()) found.push_back(entry.path());
  }
  return found;
}

// A cgroup stays busy for a moment after its last process was reaped.
bool remove_cgroup(const fs::path& directory) {
  for (const fs::path& below : directories_below(directory)) remove_cgroup(below);
  return wait_until([&] { return ::rmdir(directory.c_str()) == 0 || errno == ENOENT; });
}

}  // namespace

Container::Container(const ContainerSettings& settings)
    : settings_(settings), path_("/sys/fs/cgroup/container-XXXXXX") {
  write_or_throw("/sys/fs/cgroup/cgroup.subtree_control", "+memory +pids +cpu");
  if (::mkdtemp(path_.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), path_);
  }
  write_or_throw(path_ + "/memory.max", std::to_string(settings.memory_max));
  write_or_throw(path_ + "/memory.oom.group", settings.oom_group == OomGroup::On ? "1" : "0");
}

Container::~Container() {
  (void)write_file(path_ + "/cgroup.kill", "1");
  (void)remove_cgroup(path_);
}

Surroundings Container::inside() const {
  std::string capabilities = kDockerCapabilities;
  if (settings_.sys_resource == SysResource::Kept) capabilities += ",+sys_resource";
  return {.prefix = {"/usr/bin/unshare", "--cgroup", "--mount", "/bin/sh", "-c",
                     preparation(settings_.access), "sh", "/usr/bin/setpriv", "--bounding-set",
                     capabilities},
          .cgroups = {path_ + "/cgroup.procs"}};
}

std::string Container::read(const std::string& file) const {
  return read_file(path_ + "/" + file).value_or("");
}

}  // namespace perch::test
