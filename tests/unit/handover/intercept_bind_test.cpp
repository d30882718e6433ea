// SPDX-License-Identifier: Apache-2.0
// A daemon binds a listener's path: however it names it, it gets perch's listener, with what it had
// set on its own socket; and what it does not get.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/requirement.h"
#include "tests/unit/handover/i386_call.h"
#include "tests/unit/handover/intercept_scene.h"

namespace perch::test {
namespace {

int option(int socket, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  ::getsockopt(socket, SOL_SOCKET, name, &value, &size);
  return value;
}

void set_option(int socket, int name, int value) {
  ::setsockopt(socket, SOL_SOCKET, name, &value, sizeof value);
}

bool is_nonblocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0; }

struct Seen {
  ino_t inode;
  std::array<int, 8> values;
};

}  // namespace

TEST_CASE("a daemon that deletes and binds the path serves perch's listener") {
  InterceptScene scene;
  const std::string path = scene.path();
  const UniqueFd client(::socket(AF_UNIX, SOCK_STREAM, 0));
  const Shared<Seen> seen;
  const ino_t file = [&] {
    struct stat found{};
    ::lstat(path.c_str(), &found);
    return found.st_ino;
  }();
  CHECK(worker::connect(path) == 0);  // waits in the backlog
  CHECK(scene.run([&] {
    seen->values[0] = worker::outcome(::unlink(path.c_str()));
    const int socket = worker::make();
    seen->values[1] = worker::bind(socket, path);
    seen->values[2] = worker::outcome(::listen(socket, 5));
    seen->values[3] = worker::outcome(::accept(socket, nullptr, nullptr));
    sockaddr_un own{};
    socklen_t size = sizeof own;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size);  // NOLINT
    seen->values[4] = path == own.sun_path ? 0 : 1;
    seen->inode = inode_of(socket);
    return 0;
  }) == 0);
  for (const int value : seen->values) CHECK(value == 0);
  CHECK(seen->inode == scene.inode());
  CHECK(scene.counts.bound == 1);
  CHECK(scene.counts.unlinks == 1);
  CHECK(scene.counts.listens == 1);
  CHECK(scene.bound_calls == 1);
  CHECK(scene.troubles.empty());
  struct stat after{};
  REQUIRE(::lstat(path.c_str(), &after) == 0);
  CHECK(after.st_ino == file);
}

TEST_CASE("whatever way leads to the path, it is the listener's") {
  InterceptScene scene;
  const std::string& directory = scene.directory();
  const std::string leaf = std::filesystem::path(directory).filename();
  std::filesystem::create_directories(directory + "/sub/deep");
  std::filesystem::create_directory_symlink(directory, directory + "/sub/absolute");
  std::filesystem::create_directory_symlink("..", directory + "/sub/relative");
  struct Way {
    std::string from;
    std::string path;
  };
  const std::vector<Way> ways{
      {"/", scene.path()},
      {directory, "api.sock"},
      {directory, "./api.sock"},
      {directory, ".//./api.sock"},
      {"/", directory + "/sub/../api.sock"},
      {"/", directory + "//api.sock"},
      {directory + "/sub", "../api.sock"},
      {directory + "/sub/deep", "../../api.sock"},
      {directory, "../" + leaf + "/api.sock"},
      {directory, "sub/absolute/api.sock"},
      {directory + "/sub", "relative/api.sock"},
      {"/", directory + "/sub/absolute/sub/relative/api.sock"},
      {"/", "/../.." + scene.path()},
      {directory, "/proc/self/cwd/api.sock"},
      {directory + "/sub", "/proc/self/cwd/../api.sock"},
      {directory, "/proc/self/cwd/sub/absolute/api.sock"},
  };
  for (const Way& way : ways) {
    CAPTURE(way.from);
    CAPTURE(way.path);
    const Shared<Seen> seen;
    CHECK(scene.run([&] {
      if (::chdir(way.from.c_str()) != 0) return 1;
      const int socket = worker::bound(way.path);
      seen->inode = inode_of(socket);
      return socket < 0 ? errno : 0;
    }) == 0);
    CHECK(seen->inode == scene.inode());
  }
}

TEST_CASE("a path through a descriptor of the daemon's own is the listener's") {
  InterceptScene scene;
  CHECK(scene.run([&] {
    const int directory = ::open(scene.directory().c_str(), O_PATH | O_DIRECTORY);
    return worker::bound("/proc/self/fd/" + std::to_string(directory) + "/api.sock") < 0 ? 1 : 0;
  }) == 0);
  CHECK(scene.counts.bound == 1);
}

TEST_CASE("an address without its terminator, and one with bytes behind it, name the same path") {
  InterceptScene scene;
  const std::string path = scene.path();
  for (const std::size_t more : {std::size_t{0}, std::size_t{1}, std::size_t{20}}) {
    CAPTURE(more);
    CHECK(scene.run([&] {
      sockaddr_un name{};
      name.sun_family = AF_UNIX;
      std::ranges::copy(path, name.sun_path);
      if (more > 1) name.sun_path[path.size() + 2] = 'x';
      const std::size_t size = offsetof(sockaddr_un, sun_path) + path.size() + more;
      const auto* const raw = reinterpret_cast<const sockaddr*>(&name);  // NOLINT
      return worker::outcome(::bind(worker::make(), raw, static_cast<socklen_t>(size)));
    }) == 0);
    CHECK(scene.counts.bound == 1);
  }
}

TEST_CASE("a thread other than the first binds, with the process' descriptors") {
  InterceptScene scene;
  const Shared<Seen> seen;
  CHECK(scene.run([&] {
    std::thread([&] {
      const int socket = worker::bound(scene.path());
      seen->inode = inode_of(socket);
    }).join();
    return 0;
  }) == 0);
  CHECK(seen->inode == scene.inode());
}

TEST_CASE("a thread with descriptors of its own gets the listener in its own") {
  InterceptScene scene;
  const Shared<Seen> seen;
  CHECK(scene.run([&] {
    const int number = worker::make();
    std::thread([&] {
      ::unshare(CLONE_FILES);
      ::dup2(worker::make(SOCK_STREAM | SOCK_NONBLOCK), number);
      set_option(number, SO_PASSCRED, 1);
      seen->values[0] = worker::bind(number, scene.path());
      seen->inode = inode_of(number);
      seen->values[1] = is_nonblocking(number) ? 1 : 2;
    }).join();
    seen->values[2] = inode_of(number) == scene.inode() ? 1 : 2;
    return 0;
  }) == 0);
  CHECK(seen->inode == scene.inode());
  CHECK(seen->values == std::array{0, 1, 2, 0, 0, 0, 0, 0});
}

TEST_CASE("in a chroot a path means what it means there") {
  if (!have(is_root(), "needs root: chroot")) return;
  InterceptScene scene;
  const std::string& root = scene.directory();
  std::filesystem::create_directories(root + root);  // the listener's own path, but inside
  std::filesystem::create_directory_symlink("/", root + "/top");
  std::filesystem::create_directory_symlink(root, root + "/inner");
  const Shared<Seen> seen;
  CHECK(scene.run({.prepare = [&] { return ::chroot(root.c_str()) == 0 && ::chdir("/") == 0; },
                   .act =
                       [&] {
                         std::size_t at = 0;
                         for (const char* path : {"/api.sock", "api.sock", "../../api.sock",
                                                  "/top/api.sock", "top/api.sock"}) {
                           const int socket = worker::bound(path);
                           seen->values.at(at) = inode_of(socket) == scene.inode() ? 1 : 2;
                           ++at;
                           ::close(socket);
                         }
                         const int inside = worker::bound(scene.path());
                         seen->values.at(at) = inode_of(inside) == scene.inode() ? 1 : 2;
                         return worker::bind(worker::make(), "inner/api.sock");
                       }}) == EADDRINUSE);
  CHECK(seen->values == std::array{1, 1, 1, 1, 1, 2, 0, 0});
  CHECK(scene.counts.bound == 5);
}

TEST_CASE("in another mount namespace the directory counts, not the path") {
  if (!have(is_root(), "needs root: mount namespaces")) return;
  InterceptScene scene;
  const std::string& directory = scene.directory();
  const auto mount_all = [&] {
    return ::unshare(CLONE_NEWNS) == 0 &&
           ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount(directory.c_str(), "/mnt", nullptr, MS_BIND, nullptr) == 0 &&
           ::mount("none", directory.c_str(), "tmpfs", 0, nullptr) == 0;
  };
  const Shared<Seen> seen;
  CHECK(scene.run({.prepare = mount_all, .act = [&] {
                     const int through = worker::bound("/mnt/api.sock");
                     seen->values[0] = inode_of(through) == scene.inode() ? 1 : 2;
                     const int other = worker::bound(scene.path());
                     seen->values[1] = inode_of(other) == scene.inode() ? 1 : 2;
                     return 0;
                   }}) == 0);
  CHECK(seen->values[0] == 1);
  CHECK(seen->values[1] == 2);
  CHECK(scene.counts.bound == 1);
}

TEST_CASE("the listener is blocking or not as the daemon's own socket was, from bind to bind") {
  InterceptScene scene;
  for (const bool wanted : {false, true, false}) {
    const int type = SOCK_STREAM | (wanted ? SOCK_NONBLOCK : 0);
    CAPTURE(wanted);
    CHECK(scene.run([&] {
      return is_nonblocking(worker::bound(scene.path(), type)) == wanted ? 0 : 1;
    }) == 0);
    CHECK(is_nonblocking(scene.listener()) == wanted);
  }
}

TEST_CASE("the listener is closed by exec if the daemon's own socket would have been") {
  InterceptScene scene;
  for (const bool wanted : {false, true}) {
    CAPTURE(wanted);
    const int type = SOCK_STREAM | (wanted ? SOCK_CLOEXEC : 0);
    CHECK(scene.run([&] {
      const int flags = ::fcntl(worker::bound(scene.path(), type), F_GETFD);
      return ((flags & FD_CLOEXEC) != 0) == wanted ? 0 : 1;
    }) == 0);
  }
}

TEST_CASE("options that connections inherit are the daemon's, and the next daemon's again") {
  InterceptScene scene;
  const Shared<Seen> seen;
  CHECK(scene.run([&] {
    const int socket = worker::make();
    const timeval soon{.tv_sec = 7, .tv_usec = 0};
    set_option(socket, SO_PASSCRED, 1);
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    if (worker::bind(socket, scene.path()) != 0) return 1;
    timeval found{};
    socklen_t size = sizeof found;
    ::getsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &found, &size);
    return option(socket, SO_PASSCRED) == 1 && found.tv_sec == 7 ? 0 : 2;
  }) == 0);
  CHECK(option(scene.listener(), SO_PASSCRED) == 1);
  CHECK(scene.run([&] {
    const int socket = worker::bound(scene.path());
    timeval found{};
    socklen_t size = sizeof found;
    ::getsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &found, &size);
    return option(socket, SO_PASSCRED) == 0 && found.tv_sec == 0 ? 0 : 2;
  }) == 0);
}

TEST_CASE("sockets that are no streams do not get the listener, and that is told") {
  InterceptScene scene;
  for (const int type : std::array<int, 2>{SOCK_DGRAM, SOCK_SEQPACKET}) {
    scene.troubles.clear();
    CHECK(scene.run([&] { return worker::bind(worker::make(type), scene.path()); }) == EADDRINUSE);
    CHECK(scene.counts.bound == 0);
    REQUIRE(scene.troubles.size() == 1);
    CHECK(scene.troubles[0].find(scene.path() + " (listener listener-1) by a socket that is no "
                                                "stream") != std::string::npos);
  }
  CHECK(scene.bound_calls == 0);
}

TEST_CASE("what is no Unix socket gets the kernel's own refusal") {
  InterceptScene scene;
  const Shared<Seen> seen;
  CHECK(scene.run([&] {
    seen->values[0] = worker::bind(::open("/dev/null", O_RDONLY), scene.path());
    seen->values[1] = worker::bind(1'000, scene.path());
    seen->values[2] = worker::bind(-1, scene.path());
    seen->values[3] = worker::bind(::socket(AF_INET, SOCK_STREAM, 0), scene.path()) != 0 ? 1 : 0;
    return 0;
  }) == 0);
  CHECK(seen->values == std::array{ENOTSOCK, EBADF, EBADF, 1, 0, 0, 0, 0});
  CHECK(scene.counts.bound == 0);
}

TEST_CASE("a socket that was bound already is not bound again") {
  InterceptScene scene;
  const Shared<Seen> seen;
  CHECK(scene.run([&] {
    const int socket = worker::bound(scene.path());
    seen->values[0] = worker::bind(socket, scene.path());
    return 0;
  }) == 0);
  CHECK(seen->values[0] != 0);
  CHECK(scene.counts.bound == 1);
}

TEST_CASE("copies made before the bind stay the old socket; so does a registration with epoll") {
  InterceptScene scene;
  const Shared<Seen> seen;
  CHECK(scene.run([&] {
    const int socket = worker::make(SOCK_STREAM | SOCK_NONBLOCK);
    const int copy = ::dup(socket);
    const int poller = ::epoll_create1(0);
    epoll_event event{};
    ::epoll_ctl(poller, EPOLL_CTL_ADD, socket, &event);
    if (worker::bind(socket, scene.path()) != 0) return 1;
    seen->values[0] = inode_of(socket) == scene.inode() ? 1 : 2;
    seen->values[1] = inode_of(copy) == scene.inode() ? 1 : 2;
    seen->values[2] = worker::outcome(::accept(copy, nullptr, nullptr));
    seen->values[3] = worker::outcome(::epoll_ctl(poller, EPOLL_CTL_MOD, socket, &event));
    seen->values[4] = worker::outcome(::epoll_ctl(poller, EPOLL_CTL_ADD, socket, &event));
    return 0;
  }) == 0);
  CHECK(seen->values == std::array{1, 2, EINVAL, ENOENT, 0, 0, 0, 0});
}

TEST_CASE("a child that binds its parent's socket gets the listener alone") {
  InterceptScene scene;
  const Shared<Seen> seen;
  CHECK(scene.run([&] {
    const int socket = worker::make();
    const pid_t child = ::fork();
    if (child == 0) {
      seen->values[0] = worker::bind(socket, scene.path());
      seen->values[1] = inode_of(socket) == scene.inode() ? 1 : 2;
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    seen->values[2] = inode_of(socket) == scene.inode() ? 1 : 2;
    return 0;
  }) == 0);
  CHECK(seen->values == std::array{0, 1, 2, 0, 0, 0, 0, 0});
}

TEST_CASE("an abstract name is the listener's in perch's own network namespace") {
  if (!have(is_root(), "needs root: network namespaces")) return;
  InterceptScene scene(std::vector<std::string>{});
  const std::string name = "@perch-test-" + std::to_string(::getpid());
  scene.add(name);
  const Shared<Seen> seen;
  const auto bind_both = [&] {
    seen->values[0] = inode_of(worker::bound(name)) == scene.inode() ? 1 : 2;
    seen->values[1] = inode_of(worker::bound(name + "x")) == scene.inode() ? 1 : 2;
    return 0;
  };
  CHECK(scene.run(bind_both) == 0);
  CHECK(seen->values[0] == 1);
  CHECK(seen->values[1] == 2);
  CHECK(scene.run({.prepare = [] { return ::unshare(CLONE_NEWNET) == 0; }, .act = bind_both}) == 0);
  CHECK(seen->values[0] == 2);
}

TEST_CASE("other sockets and other files are the kernel's business") {
  InterceptScene scene;
  const Shared<Seen> seen;
  const std::string other = scene.path("other.sock");
  const std::string same_name = scene.path("sub/api.sock");
  std::filesystem::create_directory(scene.path("sub"));
  CHECK(scene.run([&] {
    const int socket = worker::bound(other);
    seen->values[0] = worker::outcome(::listen(socket, 1));
    seen->values[1] = worker::connect(other);
    seen->values[2] = worker::outcome(::shutdown(socket, SHUT_RDWR));
    seen->values[3] = worker::connect(other);
    seen->values[4] = worker::outcome(::rename(other.c_str(), same_name.c_str()));
    seen->values[5] = worker::outcome(::unlink(same_name.c_str()));
    seen->values[6] = worker::outcome(::access(same_name.c_str(), F_OK));
    seen->values[7] = worker::bound(same_name) < 0 ? 1 : 0;
    return 0;
  }) == 0);
  CHECK(seen->values == std::array{0, 0, 0, ECONNREFUSED, 0, 0, ENOENT, 0});
  CHECK(scene.counts.bound + scene.counts.unlinks + scene.counts.renames == 0);
  CHECK(scene.troubles.empty());
}

TEST_CASE("TCP sockets are given SO_REUSEADDR where that is wanted, datagram sockets never") {
  InterceptScene scene;
  const auto reuse_after_bind = [](int type) {
    const int socket = ::socket(AF_INET, type, 0);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(socket, reinterpret_cast<const sockaddr*>(&any), sizeof any);  // NOLINT
    return option(socket, SO_REUSEADDR);
  };
  for (const bool wanted : {false, true}) {
    CAPTURE(wanted);
    scene.settings.tcp_reuse_address = wanted;
    CHECK(scene.run([&] { return reuse_after_bind(SOCK_STREAM); }) == (wanted ? 1 : 0));
    CHECK(scene.counts.reused == (wanted ? 1 : 0));
    CHECK(scene.run([&] { return reuse_after_bind(SOCK_DGRAM); }) == 0);
  }
}

TEST_CASE("a worker that wants notifications of its own gets the kernel's refusal") {
  InterceptScene scene;
  CHECK(scene.run([] {
    sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const sock_fprog program{.len = 1, .filter = &allow};
    return worker::outcome(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                                     SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
  }) == EBUSY);
}

#if defined(__x86_64__)
TEST_CASE("a 32-bit program gets the listener by either way of bind") {
  if (!have(knows_i386_calls(), "needs a kernel that runs 32-bit programs")) return;
  InterceptScene scene;
  const std::string path = scene.path();
  for (const bool direct : {true, false}) {
    CAPTURE(direct);
    CHECK(scene.run([&] {
      char* const memory = low_memory(4096);
      const auto low = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(memory));
      const int socket = worker::make();
      const sa_family_t family = AF_UNIX;
      std::memcpy(memory, &family, sizeof family);
      std::ranges::copy(path, memory + offsetof(sockaddr_un, sun_path));
      const std::array<std::uint32_t, 3> stored{static_cast<std::uint32_t>(socket), low, 110};
      std::memcpy(memory + 256, stored.data(), sizeof stored);
      const long bound =
          direct ? i386_call(361, stored[0], low, 110) : i386_call(102, 2, low + 256);
      if (bound != 0) return static_cast<int>(-bound);
      std::ranges::copy(path + '\0', memory);
      if (i386_call(10, low) != 0) return 1;  // unlink
      const long shut = direct ? i386_call(373, stored[0], 2) : i386_call(102, 13, low + 256);
      return shut == 0 && inode_of(socket) == scene.inode() ? 0 : 2;
    }) == 0);
    CHECK(scene.counts.bound == 1);
    CHECK(scene.counts.unlinks == 1);
    CHECK(scene.counts.shutdowns == 1);
    CHECK(worker::connect(path) == 0);
  }
}
#endif

}  // namespace perch::test
