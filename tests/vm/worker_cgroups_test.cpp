// SPDX-License-Identifier: Apache-2.0
// A container that may write to its cgroup: perch divides it, and each worker is alone with its OOM
// kills.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "common/posix/file.h"
#include "tests/support/client.h"
#include "tests/vm/service.h"

namespace perch::test {
namespace {

constexpr ContainerSettings kWritable{.access = CgroupAccess::Writable};

std::string cgroup_of(pid_t pid) {
  return read_file(fmt::format("/proc/{}/cgroup", pid)).value_or("");
}

std::ptrdiff_t directories_in(const std::string& path) {
  return std::ranges::count_if(std::filesystem::directory_iterator(path),
                               [](const auto& entry) { return entry.is_directory(); });
}

std::string cgroup_path(pid_t pid) {
  const std::string line = cgroup_of(pid);  // "0::/path"
  return "/sys/fs/cgroup" + line.substr(3, line.find('\n') - 3);
}

// What puts a process beside this one.
std::string procs_of(pid_t pid) { return cgroup_path(pid) + "/cgroup.procs"; }

std::string second_worker(const TemporaryDirectory& directory) {
  return fmt::format(R"([listeners.second]
path = "{}"
[workers.second]
command = {}
listeners = ["second"]
restart = {{ delay = "0ms" }}
)",
                     directory.path("second.sock"), worker_command("listen-fds"));
}

// perch and two workers.
class Pair {
 public:
  explicit Pair(const ContainerSettings& settings)
      : container_(settings),
        perch_(directory_, app_config(directory_) + second_worker(directory_),
               container_.inside()) {
    REQUIRE(perch_.wait_ready());
  }

  PerchProcess& perch() { return perch_; }
  [[nodiscard]] std::string socket(std::string_view name) const { return directory_.path(name); }
  // The next generation of the worker serves.
  [[nodiscard]] nlohmann::json kill(const std::string& worker, const std::string& path,
                                    std::string_view request) {
    const Reply before = ask_newer(path, 0);
    CHECK_FALSE(ask(path, request));
    (void)ask_newer(path, before.generation);
    return perch_.worker(worker)["last_deaths"][0];
  }

 private:
  TemporaryDirectory directory_;
  Container container_;
  PerchProcess perch_;
};

}  // namespace

TEST_CASE("of two workers each dies its own deaths") {
  Pair pair(kWritable);
  for (int i = 0; i < 5; ++i) {
    CHECK(pair.kill("app", pair.socket("api.sock"), "hog")["cause"] == "oom-kill");
    CHECK(pair.kill("second", pair.socket("second.sock"), "signal 9")["cause"] == "signal");
    CHECK(pair.kill("second", pair.socket("second.sock"), "hog")["cause"] == "oom-kill");
  }
  const nlohmann::json app = pair.perch().worker("app");
  const nlohmann::json second = pair.perch().worker("second");
  CHECK(app["deaths"]["oom-kill"] == 5);
  CHECK(app["starts"] == 6);
  CHECK(app["oom_in_tree"] == 0);
  CHECK(second["deaths"]["oom-kill"] == 5);
  CHECK(second["deaths"]["signal"] == 5);
  CHECK(second["starts"] == 11);
  CHECK(second["oom_in_tree"] == 0);
}

TEST_CASE("an OOM-killed child is booked to the worker that has it") {
  Pair pair(kWritable);
  for (int i = 1; i <= 3; ++i) {
    const auto reply = ask(pair.socket("second.sock"), "hog-child");
    REQUIRE(reply);
    CHECK(reply->text == "child ended by signal 9");
    CHECK(wait_until([&] { return pair.perch().worker("second")["oom_in_tree"] == i; }));
  }
  CHECK(pair.perch().worker("second")["starts"] == 1);
  CHECK(pair.perch().worker("app")["oom_in_tree"] == 0);
}

TEST_CASE("a limit of the worker's own is below the container's and is what kills it") {
  Service service(kWritable, {.worker = "memory = { max = \"24MiB\" }"});
  const nlohmann::json death = service.oom_kill();
  CHECK(death["cause"] == "oom-kill");
  CHECK(death["memory_limit_bytes"] == 24U << 20U);
  const auto peak = death["memory_peak_bytes"].get<std::uint64_t>();
  CHECK(peak <= 24U << 20U);
  CHECK(peak >= 20U << 20U);
}

TEST_CASE("what is configured stands in the worker's cgroup, and changes there with a reload") {
  const TemporaryDirectory directory;
  const Container container(kWritable);
  const auto config = [&](std::string_view limits) {
    return app_config(directory, {.worker = std::string(limits)});
  };
  PerchProcess perch(directory,
                     config("memory = { max = \"24MiB\", high = \"20MiB\" }\npids_max = 32\n"
                            "cpu_weight = 50\non_child_oom = \"restart\""),
                     container.inside());
  REQUIRE(perch.wait_ready());
  const auto worker = ask(directory.path("api.sock"), "ping");
  REQUIRE(worker);
  const std::string place = cgroup_path(worker->pid) + "/";
  const auto limits = [&] {
    std::string all;
    for (const char* file :
         {"memory.max", "memory.high", "pids.max", "cpu.weight", "memory.oom.group"}) {
      all += read_file(place + file).value_or("(none)\n");
    }
    return all;
  };
  CHECK(limits() == "25165824\n20971520\n32\n50\n1\n");
  perch.write_config(config("memory = { max = \"32MiB\" }\ncpu_weight = 200"));
  REQUIRE(perch.request("POST", "/v1/reload").status == 200);
  CHECK(limits() == "33554432\nmax\nmax\n200\n0\n");
  CHECK(perch.worker()["starts"] == 1);

  perch.process().signal(SIGTERM);
  CHECK(perch.process().wait() == exited(0));
  CHECK_FALSE(std::filesystem::exists(place));
}

// As a runtime's exec does: it is refused in the cgroup that is divided, and then joins PID 1.
TEST_CASE("another process of the container can be put beside perch, and outlives the kills") {
  Service service(kWritable);
  Process guest({.argv = {"sleep", "1000"}, .cgroups = {procs_of(service.perch().pid())}});
  REQUIRE(wait_until([&] { return cgroup_of(guest.pid()) == cgroup_of(service.perch().pid()); }));
  CHECK_FALSE(
      write_file(service.container().cgroup() + "/cgroup.procs", std::to_string(guest.pid())));
  CHECK(service.oom_kill()["cause"] == "oom-kill");
  CHECK(service.oom_kill()["cause"] == "oom-kill");
  CHECK_FALSE(guest.ending());
}

TEST_CASE("what a killed perch left of cgroups the next one takes over") {
  const TemporaryDirectory directory;
  const Container container(kWritable);
  std::string procs = container.cgroup() + "/cgroup.procs";
  for (int i = 0; i < 3; ++i) {
    PerchProcess perch(directory, app_config(directory), {.cgroups = {procs}});
    REQUIRE(perch.wait_ready());
    CHECK(perch.status()["perch"]["oom_protection"]["tier"] == "a");
    // perch's own, and one worker's.
    CHECK(directories_in(container.cgroup()) == 2);
    procs = procs_of(perch.pid());
    perch.process().signal(SIGKILL);
    REQUIRE(perch.process().wait() == killed_by(SIGKILL));
  }
}

}  // namespace perch::test
