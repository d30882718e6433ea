// SPDX-License-Identifier: Apache-2.0
// Before the OOM killer and after it: workers that are replaced for their memory, for real. perch
// and its workers share one memory cgroup with a limit, as they do in a container.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "tests/support/client_storm.h"
#include "tests/support/memory_cgroup.h"
#include "tests/support/perch_process.h"
#include "tests/support/requirement.h"
#include "tests/support/storm_check.h"

namespace perch::test {
namespace {

constexpr std::uint64_t kMiB = 1U << 20U;

// What perch and an idle worker need has to be below every mark, also with a sanitizer.
std::uint64_t limit() { return (is_sanitized() ? 768U : 256U) * kMiB; }
// Of that: what a worker has to hold to be above a mark of a quarter.
std::string above_a_quarter() { return std::to_string(limit() / kMiB * 3 / 8); }

constexpr int kWrites = 10;

constexpr std::string_view kAtAQuarter =
    "memory = { recycle_at = \"25%\", recycle_after = \"200ms\" }";

class Container {
 public:
  explicit Container(const AppConfig& wanted, std::uint64_t bytes = limit())
      : cgroup_(MemoryCgroup::make(bytes)),
        perch_(directory_, app_config(directory_, wanted), {.cgroups = {cgroup_->procs()}}) {
    REQUIRE(perch_.wait_ready());
  }
  static bool possible() {
    return have(MemoryCgroup::make(limit()) != nullptr, "needs a writable memory cgroup");
  }

  [[nodiscard]] std::string api() const { return directory_.path("api.sock"); }
  [[nodiscard]] const TemporaryDirectory& directory() const { return directory_; }
  [[nodiscard]] std::uint64_t oom_kills() const { return cgroup_->oom_kills(); }
  PerchProcess& perch() { return perch_; }

 private:
  std::unique_ptr<MemoryCgroup> cgroup_;
  TemporaryDirectory directory_;
  PerchProcess perch_;
};

nlohmann::json first_death(PerchProcess& perch, const std::string& worker = "app") {
  nlohmann::json deaths;
  REQUIRE(wait_until([&] {
    deaths = perch.worker(worker)["last_deaths"];
    return !deaths.empty();
  }));
  return deaths.back();
}

bool contains(const nlohmann::json& detail, std::string_view part) {
  return detail.get<std::string>().contains(part);
}

bool is_on_disk(const std::string& path) {
  constexpr long kTmpfs = 0x01021994;  // TMPFS_MAGIC, statfs(2)
  struct statfs status{};
  return ::statfs(path.c_str(), &status) == 0 && status.f_type != kTmpfs;
}

struct FileInMemory {
  std::string path = "/dev/shm/perch-test-" + std::to_string(::getpid());
  FileInMemory() = default;
  ~FileInMemory() { std::filesystem::remove(path); }
  FileInMemory(const FileInMemory&) = delete;
  FileInMemory& operator=(const FileInMemory&) = delete;
};

// A perch that sees no memory cgroup.
Surroundings without_cgroups() {
  return {.prefix = {"unshare", "--mount", "sh", "-c", "umount -l /sys/fs/cgroup && exec \"$@\"",
                     "sh"}};
}

bool can_hide_cgroups() { return have(is_root(), "needs root: unshare --mount"); }

bool can_read_kernel_log() {
  const UniqueFd kernel_log(::open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  return have(static_cast<bool>(kernel_log), "needs a readable /dev/kmsg");
}

}  // namespace

TEST_CASE("10 of 10 times a leaking worker is replaced before it is killed, no client refused") {
  if (!Container::possible()) return;
  Container container(
      {.arguments = {"--leak", is_sanitized() ? "150" : "60"}, .worker = std::string(kAtAQuarter)});
  ClientStorm storm({.path = container.api()});
  REQUIRE(wait_until([&] { return container.perch().worker()["deaths"]["memory-recycle"] >= 10; },
                     std::chrono::minutes(3)));
  const StormCounts counts = storm.stop();
  CHECK(counts.served > 0);
  check_nobody_was_turned_away(counts);
  CHECK(container.oom_kills() == 0);
  const auto worker = container.perch().worker();
  CHECK(worker["deaths"]["oom-kill"] == 0);
  CHECK(worker["deaths"]["signal"] == 0);
}

TEST_CASE("a worker that is replaced says how much it needed, and status when it will be") {
  if (!Container::possible()) return;
  Container container({.worker = std::string(kAtAQuarter)});
  const auto memory = container.perch().worker()["memory"];
  CHECK(memory["recycle_at_bytes"] == limit() / 4);
  CHECK(memory["nonreclaimable_bytes"].get<std::uint64_t>() < limit() / 4);
  REQUIRE(ask(container.api(), "hold " + above_a_quarter()));
  const auto death = first_death(container.perch());
  CHECK(death["cause"] == "memory-recycle");
  CHECK(contains(death["detail"], "non-reclaimable memory "));
  CHECK(contains(death["detail"], " above 25% of " + std::to_string(limit() / kMiB) +
                                      ".0 MiB for "
                                      "200ms"));
  CHECK(container.perch().log().contains("it is replaced"));
}

TEST_CASE("a worker that writes files until its cgroup is full of them is never replaced") {
  if (!Container::possible()) return;
  Container container({.worker = std::string(kAtAQuarter)});
  const std::string file = container.directory().path("file");
  if (!have(is_on_disk(container.directory().path()), "needs a /tmp on disk")) return;
  std::uint64_t most = 0;
  for (int i = 0; i < kWrites; ++i) {
    const auto reply = ask(container.api(), "write " + std::to_string(limit() / kMiB) + " " + file);
    REQUIRE(reply);
    REQUIRE(reply->text == "written");
    CHECK(reply->generation == 1);
    most = std::max(most, container.perch().worker()["memory"]["usage_bytes"].get<std::uint64_t>());
  }
  CHECK(most > limit() * 9 / 10);
  CHECK(container.perch().worker()["starts"] == 1);
}

TEST_CASE("a worker that needs more than its mark from the start backs off") {
  if (!Container::possible()) return;
  Container container({.arguments = {"--hold", above_a_quarter()},
                       .worker = std::string(kAtAQuarter),
                       .restart = "burst = 2\ndelay = \"1h\"\nmax_delay = \"1h\""});
  CHECK(container.perch().wait_state("backoff"));
  const auto worker = container.perch().worker();
  CHECK(worker["deaths"]["memory-recycle"] == 3);
  CHECK(worker["consecutive_failures"] == 3);
}

// What it leaves in a file in memory stays charged, and is above its mark.
TEST_CASE("a worker that is gone for a while is not watched") {
  if (!Container::possible()) return;
  if (!have(!is_on_disk("/dev/shm"), "needs a /dev/shm in memory")) return;
  const FileInMemory left;
  Container container({.worker = "memory = { recycle_at = \"25%\", recycle_after = \"1500ms\" }",
                       .restart = "burst = 0\ndelay = \"1h\"\nmax_delay = \"1h\""});
  REQUIRE(ask(container.api(), "write " + above_a_quarter() + " " + left.path));
  CHECK_FALSE(ask(container.api(), "exit 1"));
  REQUIRE(container.perch().wait_state("backoff"));
  CHECK_FALSE(wait_until([&] { return container.perch().log().contains("it is replaced"); },
                         std::chrono::seconds(4)));
}

TEST_CASE("a mark that comes with a reload holds for the worker that runs") {
  if (!Container::possible()) return;
  Container container({});
  const auto before = ask(container.api(), "hold " + above_a_quarter());
  REQUIRE(before);
  container.perch().write_config(
      app_config(container.directory(), {.worker = std::string(kAtAQuarter)}));
  CHECK(container.perch().request("POST", "/v1/reload").status == 200);
  CHECK(first_death(container.perch())["cause"] == "memory-recycle");
}

TEST_CASE("of two workers in one cgroup the one that has the most memory is replaced") {
  if (!Container::possible()) return;
  const auto cgroup = MemoryCgroup::make(limit());
  const TemporaryDirectory directory;
  const std::string other = "[workers.other]\ncommand = " + worker_command("listen-fds") +
                            "\nlisteners = [\"api\"]\n" + std::string(kAtAQuarter) + "\n";
  PerchProcess perch(directory,
                     app_config(directory, {.arguments = {"--leak", is_sanitized() ? "150" : "60"},
                                            .worker = std::string(kAtAQuarter)}) +
                         other,
                     {.cgroups = {cgroup->procs()}});
  REQUIRE(perch.wait_ready());
  REQUIRE(wait_until([&] { return perch.worker()["deaths"]["memory-recycle"] >= 2; }));
  CHECK(perch.worker("other")["starts"] == 1);
  CHECK(cgroup->oom_kills() == 0);
}

TEST_CASE("a worker with a limit of its own is counted alone, and replaced below that") {
  if (!Container::possible()) return;
  const std::string max = std::to_string(limit() / kMiB / 2);
  Container container({.worker = "memory = { max = \"" + max +
                                 "MiB\", recycle_at = \"50%\", recycle_after = \"200ms\" }"});
  CHECK(container.perch().worker()["memory"]["cgroup"] == "own");
  REQUIRE(ask(container.api(), "hold " + above_a_quarter()));
  const auto death = first_death(container.perch());
  CHECK(death["cause"] == "memory-recycle");
  CHECK(contains(death["detail"], " above 50% of " + max + ".0 MiB for 200ms"));
}

TEST_CASE("where no cgroup is visible the memory of the worker's processes counts") {
  if (!can_hide_cgroups()) return;
  const TemporaryDirectory directory;
  const std::string mark = std::to_string(limit() / kMiB / 4) + "MiB";
  PerchProcess perch(directory,
                     app_config(directory, {.worker = "memory = { recycle_at = \"" + mark +
                                                      "\", recycle_after = \"100ms\" }"}),
                     without_cgroups());
  REQUIRE(perch.wait_ready());
  CHECK(perch.worker()["memory"]["nonreclaimable_bytes"] > 0);
  REQUIRE(ask(directory.path("api.sock"), "hold " + above_a_quarter()));
  const auto death = first_death(perch);
  CHECK(death["cause"] == "memory-recycle");
}

TEST_CASE("a share of a limit that there is not is told and does nothing") {
  if (!can_hide_cgroups()) return;
  const TemporaryDirectory directory;
  PerchProcess perch(directory, app_config(directory, {.worker = std::string(kAtAQuarter)}),
                     without_cgroups());
  REQUIRE(perch.wait_ready());
  CHECK(perch.worker()["memory"]["recycle_at_bytes"].is_null());
  CHECK_FALSE(ask(directory.path("api.sock"), "exit 1"));
  (void)ask_newer(directory.path("api.sock"), 1);
  const std::string log = perch.log();
  const auto told = log.find("it is never recycled");
  REQUIRE(told != std::string::npos);
  CHECK(log.find("it is never recycled", told + 1) == std::string::npos);
}

TEST_CASE("an OOM-killed child restarts its worker where the configuration says so") {
  if (!Container::possible()) return;
  Container container({.worker = "on_child_oom = \"restart\""}, limit() / 4 * 2);
  const auto before = ask(container.api(), "ping");
  REQUIRE(before);
  [[maybe_unused]] const auto reply = ask(container.api(), "hog-child");
  const auto death = first_death(container.perch());
  CHECK(death["cause"] == "oom-kill");
  CHECK(contains(death["detail"], "1 process(es) below it were OOM-killed, and on_child_oom is"));
  CHECK(ask_newer(container.api(), before->generation).pid != before->pid);
  CHECK(container.perch().worker()["oom_in_tree"] == 1);
}

TEST_CASE("an OOM kill below a shell that ends for it does not restart the next generation") {
  if (!Container::possible()) return;
  const auto cgroup = MemoryCgroup::make(limit() / 4 * 2);
  const TemporaryDirectory directory;
  const std::string api = directory.path("api.sock");
  const std::string config = "[listeners.api]\npath = \"" + api +
                             "\"\n[workers.app]\nlisteners = [\"api\"]\n"
                             "on_child_oom = \"restart\"\n"
                             "command = [\"sh\", \"-c\", '''sh -c 'export LISTEN_PID=$$; exec " +
                             from_build("PERCH_TEST_WORKER") + " --by listen-fds'; exit 137''']\n";
  PerchProcess perch(directory, config, {.cgroups = {cgroup->procs()}});
  REQUIRE(perch.wait_ready());
  CHECK_FALSE(ask(api, "hog"));
  CHECK(ask_newer(api, 1).generation == 2);
  CHECK(wait_until([&] { return perch.worker()["oom_in_tree"] == 1; }));
  CHECK(perch.log().contains("below generation 1 were OOM-killed; it ends anyway"));
  CHECK(perch.worker()["starts"] == 2);
}

TEST_CASE("the kernel log's line about the victim is evidence") {
  if (!Container::possible() || !can_read_kernel_log()) return;
  Container container({});
  for (std::uint64_t generation = 1; generation <= 5; ++generation) {
    const Reply victim = ask_newer(container.api(), generation - 1);
    CHECK_FALSE(ask(container.api(), "hog"));
    const std::string detail = container.perch().death_of(generation)["detail"];
    CAPTURE(detail);
    CHECK(detail.contains("the kernel log: Killed process " + std::to_string(victim.pid) +
                          " (test-worker) total-vm:"));
  }
}

// Its pids are others' there. No other test's worker has this name.
TEST_CASE("in a pid namespace the kernel log's line is found by the worker's name") {
  if (!Container::possible() || !can_read_kernel_log()) return;
  const auto cgroup = MemoryCgroup::make(limit());
  const TemporaryDirectory directory;
  const std::string program = directory.path("w" + std::to_string(::getpid()));
  std::filesystem::create_symlink(from_build("PERCH_TEST_WORKER"), program);
  const std::string config = "[listeners.api]\npath = \"" + directory.path("api.sock") +
                             "\"\n[workers.app]\ncommand = [\"" + program +
                             "\", \"--by\", \"listen-fds\"]\nlisteners = [\"api\"]\n";
  PerchProcess perch(directory, config,
                     {.prefix = {"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"},
                      .cgroups = {cgroup->procs()}});
  REQUIRE(perch.wait_ready());
  CHECK_FALSE(ask(directory.path("api.sock"), "hog"));
  const auto death = first_death(perch);
  CHECK(death["cause"] == "oom-kill");
  CHECK(contains(death["detail"], "the kernel log: Killed process "));
  CHECK(contains(death["detail"], " (w" + std::to_string(::getpid()) + ") total-vm:"));
}

}  // namespace perch::test
