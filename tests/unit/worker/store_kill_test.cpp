// SPDX-License-Identifier: Apache-2.0
// A process that works on the store is killed at each of its system calls, and at many seeded
// moments between and within them. Whatever it leaves, the next process finds tasks that are right
// as far as they say, or none.
#include <doctest/doctest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <functional>
#include <random>
#include <string>

#include "tests/support/private_mounts.h"
#include "tests/support/requirement.h"
#include "tests/unit/worker/store_tools.h"
#include "worker/peer/store/crc32c.h"

namespace perch::peer {
namespace {

namespace fs = std::filesystem;

constexpr int kLivesPerBoot = 5;
constexpr std::uint64_t kMaxLength = 4500;

// What an origin has under this version: no two versions have the same bytes anywhere near.
std::string origin_data(std::uint32_t version, std::uint64_t length) {
  std::mt19937 random(version);
  std::string data(length, '\0');
  std::ranges::generate(data, [&] { return static_cast<char>(random()); });
  return data;
}

// The machine has been rebooted now and then.
std::string boot_of(std::uint32_t life) { return "boot " + std::to_string(life / kLivesPerBoot); }

// Whether all that is recorded as done was right.
bool check_and_believe(TaskFiles& files) {
  bool good = true;
  for (std::uint32_t number = 0; number < files.layout().count(); ++number) {
    good = good && (!files.done(number) || files.verify(number).value_or(false));
  }
  return good && files.believe();
}

// One process at work: tasks are begun, filled in small steps, finished, replaced and removed.
class Worker {
 public:
  Worker(const std::string& directory, std::uint32_t seed)
      : store_(std::move(*Store::open(directory, {boot_of(seed), {}}))), random_(seed) {}

  // What an earlier boot left is looked at first, as a download does.
  bool check_stored() {
    for (const std::string& id : {kId, kOtherId}) {
      auto files = store_.find(id);
      if (files && files->needs_check() && !check_and_believe(*files)) return false;
    }
    return true;
  }

  bool one_task() {
    const std::string& id = begun_++ % 3 < 2 ? kId : kOtherId;  // one that is replaced, too
    const std::uint32_t version = draw();
    const std::uint64_t length = draw() % kMaxLength;
    const std::string data = origin_data(version, length);
    const Manifest manifest{
        "http://origin/file",
        {length, kPiece},
        {{"version", std::to_string(version)}, {"length", std::to_string(length)}},
        1};
    const bool unsized = draw() % 4 == 0;
    auto files = unsized ? store_.create_unsized(id, manifest) : store_.create(id, manifest);
    if (!files || !fill(*files, data)) return false;
    if (unsized && !files->settle(length)) return false;
    if (!files->mark_finished("") || !files->touch()) return false;
    return draw() % 3 != 0 || store_.remove(id);
  }

 private:
  std::uint32_t draw() { return static_cast<std::uint32_t>(random_()); }
  bool fill(TaskFiles& files, std::string_view data) {
    for (std::uint64_t at = 0; at < data.size();) {
      const auto number = static_cast<std::uint32_t>(at / kPiece);
      const std::uint64_t left = std::min<std::uint64_t>(data.size(), (number + 1) * kPiece) - at;
      const std::uint64_t step = 1 + draw() % left;
      if (!files.append(number, bytes(data.substr(at, step)))) return false;
      at += step;
    }
    return true;
  }

  Store store_;
  std::mt19937 random_;
  int begun_ = 0;
};

// In the child: never returns, and leaves nothing of the test to run.
[[noreturn]] void work(const std::string& directory, std::uint32_t seed, int tasks) {
  Worker worker(directory, seed);
  bool good = worker.check_stored();
  for (int i = 0; i < tasks && good; ++i) good = worker.one_task();
  ::_exit(good ? 0 : 1);
}

// Kills the child in front of its system call of this number; whether it got so far.
bool kill_at_call(const std::string& directory, std::uint32_t seed, int call) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    (void)::raise(SIGSTOP);
    work(directory, seed, 2);
  }
  int status = wait_for(child);
  // It stops twice at each: on the way in and on the way out.
  for (int stop = 0; stop <= 2 * call && WIFSTOPPED(status); ++stop) {
    REQUIRE(::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) == 0);
    status = wait_for(child);
  }
  if (!WIFSTOPPED(status)) {
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    return false;
  }
  (void)::kill(child, SIGKILL);
  wait_for(child);
  return true;
}

// The child's own timer kills it, wherever it is then.
void kill_after(const std::string& directory, std::uint32_t seed, std::chrono::nanoseconds time) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGKILL;
    timer_t timer{};
    const itimerspec once{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = time.count()}};
    ::timer_create(CLOCK_MONOTONIC, &event, &timer);
    ::timer_settime(timer, 0, &once, nullptr);
    work(directory, seed, 1000);
  }
  CHECK(WIFSIGNALED(wait_for(child)));
}

void check_task(TaskFiles& files, const std::string& boot) {
  const auto& headers = files.manifest().headers;
  const auto version = static_cast<std::uint32_t>(std::stoul(headers.at("version")));
  const std::string data = origin_data(version, std::stoul(headers.at("length")));
  CHECK(files.needs_check() == (files.manifest().boot_id != boot));
  if (files.needs_check()) CHECK(check_and_believe(files));
  CHECK(files.layout().length == data.size());
  for (std::uint32_t number = 0; number < files.layout().count(); ++number) {
    const std::uint64_t begin = files.layout().piece(number).begin;
    std::string got(files.bytes_done(number), '\0');
    REQUIRE(files.read(begin, std::as_writable_bytes(std::span(got))).has_value());
    CHECK(data.compare(begin, got.size(), got) == 0);
    CHECK(files.crc_of(number) == crc32c(bytes(got)));
  }
}

struct Found {
  int partial = 0;
  int finished = 0;
  int none = 0;
};

// As the next process does; then goes on where that one was.
void check_store(const StoreWorld& world, std::uint32_t life, Found& found) {
  const Store store = world.open(boot_of(life));
  (void)store.collect({}, [](const std::string&) { return false; });
  for (const std::string& id : {kId, kOtherId}) {
    auto files = store.find(id);
    if (!files) {
      CHECK(files.error().is(ENOENT));
      CHECK_FALSE(fs::exists(world.task(id)));
      found.none += 1;
      continue;
    }
    check_task(*files, boot_of(life));
    (files->manifest().finished == std::chrono::sys_seconds() ? found.partial : found.finished) +=
        1;
    CHECK(store.stat(id)->finished == (files->done_count() == files->layout().count()));
  }
}

// In memory where we may mount: what is waited for on a disk, fsync, is no part of this.
void in_fast_directory(const std::function<void(const std::string& directory)>& what) {
  test::in_private_mounts([&] {
    const test::TemporaryDirectory directory;
    if (test::is_root()) test::mount_tmpfs(directory.path(), 0, "size=64m,mode=0700");
    what(directory.path());
  });
}

}  // namespace

TEST_CASE("killed at each of its system calls, a process leaves tasks that are right or none") {
  Found found;
  in_fast_directory([&](const std::string& directory) {
    for (const std::uint32_t seed : {1U, 2U}) {
      int call = 0;
      for (bool killed = true; killed; ++call) {
        CAPTURE(seed);
        CAPTURE(call);
        const StoreWorld world(directory + "/" + std::to_string(seed) + "." + std::to_string(call));
        killed = kill_at_call(world.directory(), seed, call);
        check_store(world, seed, found);
      }
      CHECK(call > 50);
    }
  });
  // All kinds of endings were met.
  CHECK(found.partial > 0);
  CHECK(found.finished > 0);
  CHECK(found.none > 0);
}

TEST_CASE("killed at any moment, over and over on one store, it leaves tasks that are right") {
  Found found;
  in_fast_directory([&](const std::string& directory) {
    const StoreWorld world(directory);
    std::mt19937 random(42);
    for (std::uint32_t life = 0; life < 300; ++life) {
      CAPTURE(life);
      kill_after(world.directory(), life, std::chrono::microseconds(100 + random() % 5'000));
      check_store(world, life, found);
    }
  });
  CHECK(found.partial > 0);
  CHECK(found.finished > 0);
}

}  // namespace perch::peer
