// SPDX-License-Identifier: Apache-2.0
#include "supervisor/handover/target_process.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "common/posix/file.h"

namespace perch::handover {
namespace {

constexpr std::size_t kPage = 4096;  // the smallest there is: no read crosses into the next page

constexpr std::string_view kOwnProc = "/proc/self/";

bool was_denied() { return errno == EACCES || errno == EPERM; }

std::string_view skip_blanks(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(" \t"), text.size()));
}

// In /proc's "name:\tvalue" lines: the value's word of that number, from 0, in base `base`.
template <class Number = unsigned>
std::optional<Number> field(std::string_view text, std::string_view name, int base, int word = 0) {
  const std::size_t start = text.find(name);
  if (start == std::string_view::npos) return std::nullopt;
  text = skip_blanks(text.substr(start + name.size()));
  for (; word > 0; --word) {
    text = skip_blanks(text.substr(std::min(text.find_first_of(" \t\n"), text.size())));
  }
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

// Where openat2 is missing, or forbidden by a container's profile of before it, links that lead to
// absolute paths are followed from our own root.
int open_within(int base, const std::string& path, std::uint64_t resolve) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = resolve;
  const char* const name = path.empty() ? "." : path.c_str();
  const long opened = ::syscall(SYS_openat2, base, name, &how, sizeof how);
  if (opened >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(opened);
  const std::size_t start = path.find_first_not_of('/');
  const bool is_base = start == std::string::npos;
  return ::openat(base, is_base ? "." : path.c_str() + start, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

bool is_in_our_user_namespace(pid_t process) {
  struct stat ours{};
  struct stat theirs{};
  const std::string path = "/proc/" + std::to_string(process) + "/ns/user";
  return ::stat("/proc/self/ns/user", &ours) == 0 && ::stat(path.c_str(), &theirs) == 0 &&
         ours.st_ino == theirs.st_ino;
}

// Programs reach long paths by way of their own links in /proc. There "self" would be perch, and
// openat2 follows no such links.
struct OwnLink {
  std::string name;   // "fd/7"
  std::string below;  // the path from there
};
std::optional<OwnLink> own_link(const std::string& path) {
  if (!path.starts_with(kOwnProc)) return std::nullopt;
  const std::string rest = path.substr(kOwnProc.size());
  const bool is_descriptor = rest.starts_with("fd/");
  const std::size_t end = rest.find('/', is_descriptor ? 3 : 0);
  const std::string name = rest.substr(0, end);
  const bool is_number =
      is_descriptor && name.find_first_not_of("0123456789", 3) == std::string::npos;
  if (!is_number && name != "cwd" && name != "root") return std::nullopt;
  return OwnLink{name, end == std::string::npos ? "" : rest.substr(end + 1)};
}

}  // namespace

bool is_its_own(const Error& error) {
  constexpr std::array kOwn{ESRCH, ENOENT, EFAULT, EINVAL, ENOTSOCK, ENOTDIR, ELOOP, ENAMETOOLONG};
  return std::ranges::any_of(kOwn, [&](int code) { return error.is(code); });
}

TargetProcess::TargetProcess(pid_t thread) : thread_(thread) {}

std::string TargetProcess::proc(std::string_view name) const {
  return "/proc/" + std::to_string(thread_) + "/" + std::string(name);
}

// The last of "Uid: real effective saved file-system". Capabilities in another user namespace are
// none in ours.
Result<FileIdentity> TargetProcess::identity() const {
  const auto status = read_file(proc("status"));
  if (!status) return std::unexpected(status.error());
  const auto uid = field(*status, "\nUid:", 10, 3);
  const auto gid = field(*status, "\nGid:", 10, 3);
  const auto permitted = field<std::uint64_t>(*status, "\nCapPrm:", 16);
  if (!uid || !gid || !permitted) return fail("read status", EINVAL);
  return FileIdentity{
      .uid = *uid, .gid = *gid, .capabilities = is_in_our_user_namespace(thread_) ? *permitted : 0};
}

Result<pid_t> TargetProcess::parent() const {
  const auto status = read_file(proc("status"));
  if (!status) return std::unexpected(status.error());
  const auto parent = field<pid_t>(*status, "\nPPid:", 10);
  return parent ? Result<pid_t>(*parent) : fail("read status", EINVAL);
}

template <class Act>
auto TargetProcess::insist(Act act) const {
  const auto first = act();
  if (first >= 0 || !was_denied()) return first;
  const int denial = errno;
  const auto user = identity();
  errno = denial;
  if (!user) return first;
  const BorrowedIdentity borrowed(*user, FileCapabilities::Kept);
  return act();
}

Result<UniqueFd> TargetProcess::open(const std::string& name, int flags) const {
  const std::string path = proc(name);
  UniqueFd fd(insist([&] { return ::open(path.c_str(), flags | O_CLOEXEC); }));
  if (!fd) return fail("open " + path);
  return fd;
}

Result<std::string> TargetProcess::link(const std::string& name) const {
  const std::string path = proc(name);
  std::array<char, PATH_MAX> target{};
  const ssize_t size =
      insist([&] { return ::readlink(path.c_str(), target.data(), target.size()); });
  if (size < 0) return fail("readlink " + path);
  return std::string(target.data(), static_cast<std::size_t>(size));
}

Result<void> TargetProcess::open_memory() {
  if (memory_) return {};
  auto memory = open("mem", O_RDONLY);
  if (!memory) return std::unexpected(std::move(memory.error()));
  memory_ = std::move(*memory);
  return {};
}

Result<void> TargetProcess::read(std::uint64_t at, std::span<std::byte> into) {
  if (auto opened = open_memory(); !opened) return opened;
  const ssize_t got = ::pread(memory_.get(), into.data(), into.size(), static_cast<off_t>(at));
  const bool whole = got >= 0 && static_cast<std::size_t>(got) == into.size();
  return whole ? Result<void>() : fail("read memory", EFAULT);
}

Result<std::string> TargetProcess::read_text(std::uint64_t at) {
  std::string text;
  std::array<char, kPage> page{};
  while (text.size() < PATH_MAX) {
    const std::size_t left = kPage - (at + text.size()) % kPage;
    const std::span part(page.data(), std::min(left, PATH_MAX - text.size()));
    if (auto got = read(at + text.size(), std::as_writable_bytes(part)); !got) {
      return std::unexpected(std::move(got.error()));
    }
    const auto end = std::ranges::find(part, '\0');
    text.append(part.begin(), end);
    if (end != part.end()) return text;
  }
  return fail("read a path", ENAMETOOLONG);
}

Result<ino_t> TargetProcess::socket_inode(int fd) const {
  constexpr std::string_view kPrefix = "socket:[";
  const auto target = link("fd/" + std::to_string(fd));
  if (!target) return std::unexpected(target.error());
  if (!target->starts_with(kPrefix)) return fail("descriptor", ENOTSOCK);
  ino_t inode = 0;
  std::from_chars(target->data() + kPrefix.size(), target->data() + target->size(), inode);
  return inode;
}

Result<unsigned> TargetProcess::descriptor_flags(int fd) const {
  auto info = open("fdinfo/" + std::to_string(fd), O_RDONLY);
  if (!info) return std::unexpected(std::move(info.error()));
  const auto text = read_open_file(info->get());
  if (!text) return std::unexpected(text.error());
  const auto flags = field(*text, "flags:", 8);
  return flags ? Result<unsigned>(*flags) : fail("read fdinfo", EINVAL);
}

// Of the whole process: pidfds of single threads are newer (Linux 6.9).
Result<UniqueFd> TargetProcess::copy_descriptor(int fd) const {
  const auto status = read_file(proc("status"));
  if (!status) return std::unexpected(status.error());
  const auto process = field(*status, "\nTgid:", 10);
  if (!process) return fail("read status", EINVAL);
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, *process, 0)));
  if (!pidfd) return fail("pidfd_open");
  UniqueFd copy(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd.get(), fd, 0)));
  if (!copy) return fail("pidfd_getfd");
  return copy;
}

Result<std::string> TargetProcess::network_namespace() const { return link("ns/net"); }

// A directory inside the root, as a path from there. /proc shows both as seen from our root, or
// from the top of the process' own mount namespace.
Result<std::string> TargetProcess::path_in_root(const std::string& base,
                                                const std::string& path) const {
  const auto root = link("root");
  if (!root) return root;
  auto directory = link(base);
  if (!directory) return directory;
  if (*root != "/" && directory->starts_with(*root)) directory->erase(0, root->size());
  return *directory + "/" + path;
}

// A relative path that stays below its base is looked up from there; one that leaves it, by ".." or
// an absolute link, must meet the process' root and not ours, so it starts there.
Result<UniqueFd> TargetProcess::open_directory(int base, const std::string& path) const {
  constexpr auto kHere = O_PATH | O_DIRECTORY;
  const auto own = own_link(path);
  const std::string& below = own ? own->below : path;
  const bool is_absolute = !own && path.starts_with('/');
  const std::string start = own                ? own->name
                            : base == AT_FDCWD ? "cwd"
                                               : "fd/" + std::to_string(base);
  if (!is_absolute) {
    const auto directory = open(start, kHere);
    if (!directory) return fail("open " + start, directory.error().code().value());
    UniqueFd found(insist([&] { return open_within(directory->get(), below, RESOLVE_BENEATH); }));
    if (found) return found;
    if (errno != EXDEV) return fail("open " + path);
  }
  const auto root = open("root", kHere);
  if (!root) return fail("open root", root.error().code().value());
  const auto whole = is_absolute ? Result<std::string>(path) : path_in_root(start, below);
  if (!whole) return std::unexpected(whole.error());
  UniqueFd found(insist([&] { return open_within(root->get(), *whole, RESOLVE_IN_ROOT); }));
  if (!found) return fail("open " + *whole);
  return found;
}

}  // namespace perch::handover
