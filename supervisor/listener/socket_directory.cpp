// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/socket_directory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "common/posix/file.h"
#include "common/posix/unix_socket.h"

namespace perch::listener {
namespace {

// statfs(2); magic.h has not all of them. FUSE is not here: it is as often local (fuse-overlayfs)
// as it is not.
constexpr std::array<std::uint32_t, 11> kSharedFileSystems{
    NFS_SUPER_MAGIC, SMB_SUPER_MAGIC,       CIFS_SUPER_MAGIC,       SMB2_SUPER_MAGIC,
    V9FS_MAGIC,      CEPH_SUPER_MAGIC,      AFS_SUPER_MAGIC,        OCFS2_SUPER_MAGIC,
    0x01161970,      /* GFS2 */ 0x0BD00BD0, /* Lustre */ 0x47504653 /* GPFS */};

struct Split {
  std::string directory;
  std::string basename;
};

Split split(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

// Why no socket can ever have this path; empty if one can.
std::string flaw(const std::string& path, const std::string& basename) {
  if (basename.empty() || basename == "." || basename == "..") {
    return "socket path '" + path + "' names a directory: append the name of the socket";
  }
  if (path.size() > kMaxSocketPath) {
    return "socket path " + path + " has " + std::to_string(path.size()) +
           " bytes and the kernel takes " + std::to_string(kMaxSocketPath) +
           ": use a shorter path, or a short symbolic link to its directory";
  }
  return {};
}

Error cannot_open(const std::string& directory, int number) {
  if (number == ENOENT) {
    return Error::message("directory " + directory +
                          " does not exist: create it, or mount it there");
  }
  if (number == ENOTDIR) {
    return Error::message(directory + " is not a directory: use another path, or move it away");
  }
  return Error::from_errno(number, "open directory " + directory);
}

bool is_shared_between_machines(int directory) {
  struct statfs found{};
  if (::fstatfs(directory, &found) != 0) return false;
  // f_type is signed on some architectures; magic numbers have 32 bits on all.
  return std::ranges::count(kSharedFileSystems, static_cast<std::uint32_t>(found.f_type)) > 0;
}

}  // namespace

Attempt<SocketDirectory> SocketDirectory::open(const std::string& path) {
  auto [directory, basename] = split(path);
  if (auto why = flaw(path, basename); !why.empty()) return refused(std::move(why));
  UniqueFd fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return failed(cannot_open(directory, errno));
  if (is_shared_between_machines(fd.get())) {
    return refused(path +
                   " is on a network file system, where another machine's live socket looks" +
                   " stale: put it on a local one (tmpfs, emptyDir, hostPath)");
  }
  return SocketDirectory(std::move(fd), path, std::move(basename));
}

std::string SocketDirectory::path_of(const std::string& name) const {
  return path_.substr(0, path_.size() - basename_.size()) + name;
}

std::string SocketDirectory::short_path_of(const std::string& name) const {
  return "/proc/self/fd/" + std::to_string(fd_.get()) + "/" + name;
}

Result<std::optional<PinnedFile>> SocketDirectory::pin(const std::string& name) const {
  UniqueFd fd(::openat(fd_.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) return fail("open " + path_of(name));
  return PinnedFile::of(std::move(fd));
}

int SocketDirectory::link(const PinnedFile& file, const std::string& name) const {
  const int result =
      ::linkat(AT_FDCWD, file.proc_path().c_str(), fd_.get(), name.c_str(), AT_SYMLINK_FOLLOW);
  return result == 0 ? 0 : errno;
}

bool SocketDirectory::is_at_its_path() const {
  struct stat ours{};
  struct stat now{};
  return ::fstat(fd_.get(), &ours) == 0 && ::stat(split(path_).directory.c_str(), &now) == 0 &&
         ours.st_dev == now.st_dev && ours.st_ino == now.st_ino;
}

void SocketDirectory::remove_if(const std::string& name, FileId id) const noexcept {
  struct stat found{};
  if (::fstatat(fd_.get(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (FileId{.device = found.st_dev, .inode = found.st_ino} != id) return;
  ::unlinkat(fd_.get(), name.c_str(), 0);
}

void make_last_directory_of(const std::string& path) noexcept {
  const std::string directory = split(path).directory;
  [[maybe_unused]] const int made = ::mkdir(directory.c_str(), 0755);
}

}  // namespace perch::listener
