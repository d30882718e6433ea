// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/kernel_log.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <array>
#include <ctime>
#include <string>

#include "tests/support/requirement.h"

using namespace perch;
using namespace perch::process;

namespace {

std::string record(const std::string& text, long long at = 1, int priority = 3) {
  return std::to_string(priority) + ",7," + std::to_string(at) + ",-;" + text + "\n";
}

std::string killed(pid_t pid, const std::string& name,
                   const std::string& heading = "Memory cgroup out of memory") {
  return heading + ": Killed process " + std::to_string(pid) + " (" + name +
         ") total-vm:70244kB, anon-rss:64256kB, file-rss:3316kB, shmem-rss:0kB, UID:0 "
         "pgtables:172kB oom_score_adj:500";
}

// Gives a record with each read, and EAGAIN where there is none, as /dev/kmsg does.
class FakeLog {
 public:
  explicit FakeLog(KernelLog::Pids pids) : FakeLog(make(), pids) {}
  void write(const std::string& text) const {
    REQUIRE(::send(writer_.get(), text.data(), text.size(), 0) ==
            static_cast<ssize_t>(text.size()));
  }
  KernelLog log;

 private:
  static std::array<UniqueFd, 2> make() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends.data()) == 0);
    const int bytes = 64 << 20;
    ::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
  }
  FakeLog(std::array<UniqueFd, 2> ends, KernelLog::Pids pids)
      : log(std::move(ends[0]), pids), writer_(std::move(ends[1])) {}
  UniqueFd writer_;
};

long long microseconds_ago(int seconds) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return (now.tv_sec - seconds) * 1'000'000LL;
}

}  // namespace

TEST_CASE("a victim of a memory cgroup is read with its number, its name and its figures") {
  const auto victim = parse_oom_victim(record(killed(27706, "test-worker"), 36074593333));
  REQUIRE(victim);
  CHECK(victim->scope == OomVictim::Scope::Cgroup);
  CHECK(victim->pid == 27706);
  CHECK(victim->name == "test-worker");
  CHECK(victim->at.count() == 36074593333);
  CHECK(victim->line.starts_with("Killed process 27706 (test-worker) total-vm:70244kB, "));
  CHECK(victim->line.ends_with("oom_score_adj:500"));
}

TEST_CASE("a victim of the whole machine is told apart") {
  for (const char* heading : {"Out of memory", "Out of memory (oom_kill_allocating_task)"}) {
    const auto victim = parse_oom_victim(record(killed(5, "app", heading)));
    REQUIRE(victim);
    CHECK(victim->scope == OomVictim::Scope::Machine);
  }
}

TEST_CASE("a process may have any name") {
  const auto victim = parse_oom_victim(record(killed(5, "a) total-vm:(b")));
  REQUIRE(victim);
  CHECK(victim->name == "a) total-vm:(b");
  CHECK(as_logged("a\x01\\\xff") == "a\\x01\\x5c\\xff");
  const auto raw = parse_oom_victim(record(killed(5, "\x1b[31m")));
  REQUIRE(raw);
  CHECK(raw->line.find('\x1b') == std::string::npos);
}

TEST_CASE("what is no such record tells of no victim") {
  const std::string good = killed(5, "app");
  for (const std::string& text :
       {std::string(), std::string("x"), good, record("memory: usage 4kB"), record(good, 1, 11),
        record("Killed process 5 (app) total-vm:1kB"), record("x" + good),
        record("Memory cgroup out of memory: Killed process 5"),
        record("Memory cgroup out of memory: Killed process x (app) total-vm:1kB"),
        record("Memory cgroup out of memory: Killed process 99999999999 (app) total-vm:1kB"),
        record("Memory cgroup out of memory: OOM victim 5 (app) is already exiting.")}) {
    CAPTURE(text);
    CHECK_FALSE(parse_oom_victim(text));
  }
}

TEST_CASE("a long line is cut") {
  const auto victim = parse_oom_victim(record(killed(5, "app") + std::string(8000, 'x')));
  REQUIRE(victim);
  CHECK(victim->line.size() < 300);
}

TEST_CASE("where pids tell, a victim is found by its own, once, whatever it is called") {
  FakeLog fake(KernelLog::Pids::Ours);
  CHECK_FALSE(fake.log.goes_by_name());
  fake.write(record("something else"));
  fake.write(record(killed(5, "app")));
  fake.write(record(killed(6, "app")));
  CHECK_FALSE(fake.log.find(7, "app"));
  CHECK(fake.log.find(6, "")->pid == 6);
  CHECK_FALSE(fake.log.find(6, ""));
  CHECK(fake.log.find(5, "")->pid == 5);
}

TEST_CASE("of several victims that had the same pid the latest is meant") {
  FakeLog fake(KernelLog::Pids::Ours);
  fake.write(record(killed(5, "old")));
  fake.write(record(killed(5, "new")));
  CHECK(fake.log.find(5, "")->name == "new");
  CHECK_FALSE(fake.log.find(5, ""));
}

// A perch that nobody asked for weeks has all of the log to read, and the newest line is the one.
TEST_CASE("the newest line is found behind any number of others") {
  if (!test::have(test::is_root(), "needs root: a large socket buffer")) return;
  FakeLog fake(KernelLog::Pids::Ours);
  for (int i = 0; i < 6'000; ++i) fake.write(record("something else"));
  fake.write(record(killed(5, "app")));
  CHECK(fake.log.find(5, "")->pid == 5);
}

TEST_CASE("elsewhere the only recent victim of that name is meant") {
  FakeLog fake(KernelLog::Pids::Foreign);
  CHECK(fake.log.goes_by_name());
  fake.write(record(killed(90'001, "app"), microseconds_ago(60)));
  fake.write(record(killed(90'002, "other"), microseconds_ago(0)));
  CHECK_FALSE(fake.log.find(5, "app"));
  fake.write(record(killed(90'003, "app"), microseconds_ago(0)));
  CHECK(fake.log.find(5, "app")->pid == 90'003);
  CHECK_FALSE(fake.log.find(5, "app"));
}

TEST_CASE("two recent victims of one name may be another container's, so neither is meant") {
  FakeLog fake(KernelLog::Pids::Foreign);
  fake.write(record(killed(90'001, "app"), microseconds_ago(0)));
  fake.write(record(killed(90'002, "app"), microseconds_ago(0)));
  CHECK_FALSE(fake.log.find(90'001, "app"));
}

TEST_CASE("a log that cannot be read has no victims, and nobody is asked for a name") {
  KernelLog log(UniqueFd(), KernelLog::Pids::Foreign);
  CHECK_FALSE(log.goes_by_name());
  CHECK_FALSE(log.find(5, "app"));
}
