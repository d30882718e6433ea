// SPDX-License-Identifier: Apache-2.0
// Disks that are full, read-only or broken. Real ones where a mount makes them; for quotas and
// failing disks the kernel is told by a seccomp filter to answer so.
#include <doctest/doctest.h>
#include <linux/magic.h>
#include <seccomp.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <array>
#include <csignal>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <system_error>

#include "tests/support/private_mounts.h"
#include "tests/support/requirement.h"
#include "tests/unit/worker/store_tools.h"

namespace perch::peer {
namespace {

using test::in_private_mounts;
using test::mount_tmpfs;

constexpr const char* kSmall = "size=1m,mode=0700";

void must(int result, const char* what) {
  if (result != 0) throw std::system_error(-result, std::generic_category(), what);
}

// From here on this thread's calls of that name fail so.
void answer(int call, int error) {
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_ALLOW),
                                                                 &seccomp_release);
  must(seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(static_cast<unsigned>(error)), call, 0),
       "rule");
  must(seccomp_load(filter.get()), "load");
}

bool is_in_memory(const std::string& path) {
  struct statfs disk{};
  return ::statfs(path.c_str(), &disk) == 0 && disk.f_type == TMPFS_MAGIC;
}

std::string block(std::size_t size) { return std::string(size, 'x'); }

}  // namespace

TEST_CASE("a disk that is too small refuses a task before the download, and leaves nothing of it") {
  if (!test::have(test::is_root(), "needs root: mount")) return;
  in_private_mounts([] {
    const test::TemporaryDirectory directory;
    mount_tmpfs(directory.path(), 0, kSmall);
    const StoreWorld world(directory.path());
    const Store store = world.open();
    const auto files = store.create(kId, {"http://origin/file", {8U << 20U, 4U << 20U}, {}, 1});
    REQUIRE_FALSE(files.has_value());
    CHECK(files.error().is(ENOSPC));
    CHECK(files.error().text() ==
          world.path("data") + ": reserve 8388608 bytes: No space left on device");
    CHECK(store.list().empty());
    CHECK(store.create(kId, manifest_of(2500)).has_value());
  });
}

TEST_CASE("a task in memory takes only the memory that its data needs") {
  if (!test::have(test::is_root(), "needs root: mount")) return;
  in_private_mounts([] {
    const test::TemporaryDirectory directory;
    mount_tmpfs(directory.path(), 0, kSmall);
    const StoreWorld world(directory.path());
    const Store store = world.open();
    auto files = store.create(kId, manifest_of(900'000));
    REQUIRE(files.has_value());
    struct stat data{};
    REQUIRE(::fstat(files->data_fd(), &data) == 0);
    CHECK(data.st_size == 900'000);
    CHECK(data.st_blocks == 0);
    // What it has already is not asked for twice.
    for (std::uint32_t number = 0; number < 900; ++number) put(*files, number, 'x');
    CHECK(files->believe().has_value());
  });
}

TEST_CASE("a file longer than the store may be is refused, whether its length is known or not") {
  const StoreWorld world;
  const auto store =
      Store::open(world.directory(), {.boot_id = "boot", .on_fault = {}, .max_bytes = 2500});
  REQUIRE(store.has_value());
  CHECK(store->create(kOtherId, manifest_of(2500)).has_value());
  const auto refused = store->create(kId, manifest_of(2501));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().is(EFBIG));
  CHECK(refused.error().text() ==
        world.path("data") + ": 2501 bytes, and --store-max is 2500: File too large");
  CHECK(store->list().size() == 1);

  auto endless = store->create_unsized(kId, {"http://origin/file", {0, 4U << 20U}, {}, 1});
  REQUIRE(endless.has_value());
  REQUIRE(endless->append(0, bytes(block(2500))).has_value());
  CHECK(endless->append(0, bytes("x")).error().is(EFBIG));
}

TEST_CASE("data that could not be synced is not believed, as the kernel would have it") {
  const StoreWorld world;
  std::string problem;
  const auto work = [&] {
    auto files = world.open().create(kId, manifest_of(1000));
    put(*files, 0, 'x');
    answer(SCMP_SYS(fdatasync), EIO);
    problem = files->mark_finished("").error().text();
  };
  std::async(std::launch::async, work).get();
  CHECK(problem == "sync " + world.path("data") + ": Input/output error");
  CHECK(world.open().find(kId).error().is(ENOENT));
}

TEST_CASE("a disk that fills in the middle stops the task; what was recorded stays right") {
  if (!test::have(test::is_root(), "needs root: mount")) return;
  in_private_mounts([] {
    const test::TemporaryDirectory directory;
    mount_tmpfs(directory.path(), 0, kSmall);
    const StoreWorld world(directory.path());
    const Store store = world.open();
    auto files = store.create_unsized(kId, {"http://origin/file", {0, 4U << 20U}, {}, 1});
    REQUIRE(files.has_value());
    std::uint64_t put = 0;
    auto appended = files->append(0, bytes(block(65536)));
    for (; appended && put < (2U << 20U); appended = files->append(0, bytes(block(65536)))) {
      put += 65536;
    }
    REQUIRE_FALSE(appended.has_value());
    CHECK(appended.error().is(ENOSPC));
    CHECK(files->bytes_done(0) == put);
    CHECK(files->verify(0).value());
    // Another task makes room by going.
    REQUIRE(store.remove(kId).has_value());
  });
}

TEST_CASE("a read-only file system is refused at the start") {
  if (!test::have(test::is_root(), "needs root: mount")) return;
  in_private_mounts([] {
    const test::TemporaryDirectory directory;
    mount_tmpfs(directory.path(), 0, kSmall);
    const StoreWorld world(directory.path());
    {
      const Store store = world.open();
    }
    mount_tmpfs(directory.path(), MS_REMOUNT | MS_RDONLY, kSmall);
    const auto store = world.try_open();
    REQUIRE_FALSE(store.has_value());
    CHECK(store.error().is(EROFS));
    CHECK(store.error().text().find(directory.path()) != std::string::npos);
  });
}

TEST_CASE("a limit on the size of files is an error like a full disk") {
  const StoreWorld world;
  const Store store = world.open();
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 65536, .rlim_max = before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto files = store.create(kId, manifest_of(1'000'000));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  (void)std::signal(SIGXFSZ, old);
  REQUIRE_FALSE(files.has_value());
  CHECK(files.error().is(EFBIG));
  CHECK(store.list().empty());
}

TEST_CASE("whichever call fails, and however: it is said by name, and no wrong task is left") {
  constexpr std::array kCalls{SCMP_SYS(fallocate), SCMP_SYS(ftruncate), SCMP_SYS(pwrite64),
                              SCMP_SYS(fsync),     SCMP_SYS(fdatasync), SCMP_SYS(renameat),
                              SCMP_SYS(mkdirat),   SCMP_SYS(unlinkat)};
  for (const int call : kCalls) {
    for (const int error : {ENOSPC, EDQUOT, EROFS, EIO}) {
      CAPTURE(call);
      CAPTURE(error);
      const StoreWorld world;
      if (call == SCMP_SYS(fallocate) && is_in_memory(world.directory())) continue;
      make_finished(world.open(), kOtherId);
      std::string problem;
      // The filter ends with its thread.
      const auto work = [&] {
        const Store store = world.open();
        answer(call, error);
        auto files = store.create(kId, manifest_of(1500));
        Result<void> done;
        if (files) done = files->append(0, bytes(block(1000)));
        if (files && done) done = files->append(1, bytes(block(500)));
        if (files && done) done = files->mark_finished("");
        if (!files) problem = files.error().text();
        if (files && !done) problem = done.error().text();
        // Removing is the one thing that needs no room.
        if (problem.empty()) done = store.remove(kOtherId);
        if (problem.empty() && !done) problem = done.error().text();
      };
      std::async(std::launch::async, work).get();
      CHECK(problem.find(world.directory()) != std::string::npos);
      CHECK(problem.ends_with(std::generic_category().message(error)));
      const Store store = world.open();
      (void)store.collect({}, [](const std::string&) { return false; });
      auto files = store.find(kId);
      if (files && files->done_count() == 2) CHECK(content_of(*files) == block(1500));
      if (call != SCMP_SYS(unlinkat)) CHECK(content_of(*store.find(kOtherId)).size() == 2500);
      CHECK(store.create(kId, manifest_of(1500)).has_value());
    }
  }
}

}  // namespace perch::peer
