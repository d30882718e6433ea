// SPDX-License-Identifier: Apache-2.0
// What happens to a path while somebody else uses it: clients that never stop, and daemons that
// bind it themselves.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <new>
#include <thread>

#include "supervisor/listener/path_lock.h"
#include "supervisor/listener/take_path.h"
#include "tests/unit/listener/scene.h"

namespace perch::listener {
namespace {

// How often a daemon looks whether the path is still its own before it ends: longer than a claim.
constexpr int kLooks = 300;

struct Counts {
  std::atomic<long> rounds{0};
  std::atomic<long> missing{0};
  std::atomic<long> wrong{0};
  std::atomic<bool> stop{false};
};

// Visible to a forked process as well.
class SharedCounts {
 public:
  SharedCounts()
      : counts_(new(::mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Counts) {}
  ~SharedCounts() { ::munmap(counts_, sizeof(Counts)); }
  SharedCounts(const SharedCounts&) = delete;
  SharedCounts& operator=(const SharedCounts&) = delete;
  Counts* operator->() const { return counts_; }

 private:
  Counts* counts_;
};

struct StoppingThread {
  Counts& counts;
  std::thread thread;
  ~StoppingThread() {
    counts.stop = true;
    thread.join();
  }
};

// A daemon of the usual kind: removes what looks stale, binds, serves for a while, and leaves its
// socket file behind. It ends with 1 when it cannot keep the path.
int bind_again_and_again(const std::string& path, const SharedCounts& counts) {
  while (!counts->stop) {
    if (try_connect(path) == ECONNREFUSED) ::unlink(path.c_str());
    // Through a name of its own, so that it knows its inode whoever comes next.
    const auto socket = listen_socket(path + ".own");
    const auto mine = inode_of(path + ".own");
    const bool bound = ::link((path + ".own").c_str(), path.c_str()) == 0;
    ::unlink((path + ".own").c_str());
    if (!bound) continue;
    // For a moment a claim may have its own socket there; it must give the path back.
    const auto has_it = [&] { return inode_of(path) == mine || counts->stop; };
    for (int look = 0; look < kLooks; ++look) {
      if (!wait_until(has_it)) return 1;
    }
    ++counts->rounds;
  }
  return 0;
}

}  // namespace

TEST_CASE("a stale path is replaced again and again and is never missing") {
  const Scene scene;
  const auto path = scene / "api.sock";
  leave_stale_socket(path);
  Counts counts;
  const StoppingThread client{counts, std::thread([&] {
                                while (!counts.stop) {
                                  if (!look_at(path)) ++counts.missing;
                                  const int error = try_connect(path);
                                  if (error == ENOENT) ++counts.missing;
                                  ++counts.rounds;
                                }
                              })};
  for (int i = 0; i < 200; ++i) {
    const long before = counts.rounds;
    const auto listener = must_claim(request_for(path));
    REQUIRE(listener.parts().claimed == ClaimedAs::ReplacedStale);
    REQUIRE(wait_until([&] { return counts.rounds > before; }));
  }
  CHECK(counts.missing == 0);
}

TEST_CASE("whoever gets through to a claimed path finds its mode and owner in place") {
  const Scene scene;
  const auto path = scene / "api.sock";
  auto request = request_for(path);
  request.mode = 0640;
  request.uid = 1234;
  request.gid = 2345;
  SUBCASE("bound anew each time") { request.on_exit = config::OnExit::Unlink; }
  SUBCASE("replaced each time") { request.on_exit = config::OnExit::Keep; }
  Counts counts;
  const StoppingThread client{counts, std::thread([&] {
                                while (!counts.stop) {
                                  if (try_connect(path) != 0) continue;
                                  const auto found = look_at(path);
                                  if (found && (found->st_mode != (S_IFSOCK | 0640) ||
                                                found->st_uid != 1234 || found->st_gid != 2345)) {
                                    ++counts.wrong;
                                  }
                                  ++counts.rounds;
                                }
                              })};
  for (int i = 0; i < 100; ++i) {
    const long before = counts.rounds;
    const auto listener = must_claim(request);
    REQUIRE(wait_until([&] { return counts.rounds > before; }));
  }
  CHECK(counts.wrong == 0);
}

TEST_CASE("a daemon that binds between the probe and the exchange gets its path back") {
  const Scene scene;
  const auto path = scene / "api.sock";
  leave_stale_socket(path);
  auto directory = SocketDirectory::open(path);
  REQUIRE(directory.has_value());
  const auto lock = PathLock::try_lock(*directory);
  REQUIRE(lock.has_value());
  const auto stale = directory->pin("api.sock");
  REQUIRE((stale.has_value() && stale->has_value()));

  REQUIRE(::unlink(path.c_str()) == 0);
  UniqueFd daemon;
  SUBCASE("listening by now") { daemon = listen_socket(path); }
  SUBCASE("not listening yet") { daemon = bind_socket(path); }
  SUBCASE("not bound yet") {}
  const auto before = inode_of(path);

  Warnings warnings;
  const auto request = request_for(path);
  const auto taken = replace_stale_socket({*directory, lock->inode(), request, warnings}, **stale);
  REQUIRE(taken.has_value());
  CHECK_FALSE(taken->has_value());
  CHECK(warnings.empty());
  CHECK(inode_of(path) == before);
  CHECK(inode_of(scene / ".api.sock.perch") == 0);
  CHECK(inode_of(scene / (".perch-" + std::to_string(lock->inode()) + "-0")) == 0);
}

TEST_CASE("another stale socket than the probed one is put back too") {
  const Scene scene;
  const auto path = scene / "api.sock";
  leave_stale_socket(path);
  auto directory = SocketDirectory::open(path);
  const auto lock = PathLock::try_lock(*directory);
  const auto stale = directory->pin("api.sock");
  REQUIRE(::unlink(path.c_str()) == 0);
  leave_stale_socket(path);
  const auto before = inode_of(path);
  Warnings warnings;
  const auto request = request_for(path);
  const auto taken = replace_stale_socket({*directory, lock->inode(), request, warnings}, **stale);
  REQUIRE(taken.has_value());
  CHECK_FALSE(taken->has_value());
  CHECK(inode_of(path) == before);
  CHECK(try_claim(request) == "owned: another perch (pid " + std::to_string(::getpid()) + ")");
}

TEST_CASE("a daemon that binds the path again and again never loses it to a claim") {
  const Scene scene;
  const auto path = scene / "api.sock";
  const SharedCounts counts;
  Process daemon([&] { return bind_again_and_again(path, counts); });
  REQUIRE(wait_until([&] { return counts->rounds > 0; }));
  int claimed = 0;
  for (int i = 0; i < 300; ++i) {
    const long before = counts->rounds;
    if (try_claim(request_for(path)) == "claimed") ++claimed;
    REQUIRE(wait_until([&] { return counts->rounds > before || daemon.has_ended(); },
                       std::chrono::seconds(60)));
    REQUIRE_FALSE(daemon.has_ended());
  }
  counts->stop = true;
  CHECK(daemon.wait() == 0);
  MESSAGE("claims that came off: ", claimed,
          " of 300; lives of the daemon: ", counts->rounds.load());
}

}  // namespace perch::listener
