// SPDX-License-Identifier: Apache-2.0
// Entering a container that perch has divided: Debian's runc makes one that may write to its
// cgroup, as containerd does with cgroup_writable, and starts programs in it later.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/client.h"
#include "tests/support/perch_process.h"
#include "tests/support/requirement.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/wait_until.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kName = "entered";
constexpr std::uint64_t kMemoryMax = 64U << 20U;
const json kCapabilities = {"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_SETGID", "CAP_SETUID",
                            "CAP_KILL"};

json kernel_mount(const std::string& type, const std::string& at) {
  return {{"destination", at}, {"type", type}, {"source", type}};
}

json bind_mount(const std::string& path) {
  return {{"destination", path},
          {"type", "bind"},
          {"source", path},
          {"options", json::array({"rbind", "rw"})}};
}

json process(const std::vector<std::string>& command) {
  return {
      {"user", {{"uid", 0}, {"gid", 0}}},
      {"args", command},
      {"env", json::array({"PATH=/usr/sbin:/usr/bin"})},
      {"cwd", "/"},
      {"capabilities",
       {{"bounding", kCapabilities}, {"effective", kCapabilities}, {"permitted", kCapabilities}}}};
}

json linux_part() {
  json namespaces = json::array();
  for (const char* type : {"pid", "ipc", "uts", "mount", "network", "cgroup"}) {
    namespaces.push_back({{"type", type}});
  }
  return {{"namespaces", namespaces},
          {"cgroupsPath", std::string("/") + kName},
          {"resources",
           {{"memory", {{"limit", kMemoryMax}}}, {"unified", {{"memory.oom.group", "1"}}}}}};
}

// perch as its PID 1, with a configuration in `shared`; the guest's programs are there.
class RuncContainer {
 public:
  explicit RuncContainer(const TemporaryDirectory& shared) {
    make_root();
    const json config = {
        {"ociVersion", "1.0.2"},
        {"process", process({perch_binary(), "run", "-c", shared.path("perch.toml")})},
        {"root", {{"path", "rootfs"}}},
        {"mounts",
         {kernel_mount("proc", "/proc"), kernel_mount("sysfs", "/sys"),
          kernel_mount("cgroup", "/sys/fs/cgroup"), kernel_mount("tmpfs", "/dev"),
          bind_mount("/usr"), bind_mount(shared.path()), bind_mount(perch_binary()),
          bind_mount(from_build("PERCH_TEST_WORKER"))}},
        {"linux", linux_part()}};
    write_text(bundle_.path("config.json"), config.dump());
  }
  ~RuncContainer() { (void)test::run({.argv = runc({"delete", "--force", kName})}); }
  RuncContainer(const RuncContainer&) = delete;
  RuncContainer& operator=(const RuncContainer&) = delete;

  // For PerchProcess, whose command is the one above. --no-pivot: the guest's root is its
  // initramfs.
  [[nodiscard]] Surroundings inside() const {
    const auto words = runc({"run", "--no-pivot", "--bundle", bundle_.path(), kName});
    return {.prefix = {"sh", "-c", fmt::format("exec {}", fmt::join(words, " "))}};
  }
  [[nodiscard]] std::vector<std::string> exec(const std::vector<std::string>& command) const {
    std::vector<std::string> argv = runc({"exec", kName});
    argv.insert(argv.end(), command.begin(), command.end());
    return argv;
  }

 private:
  void make_root() const {
    fs::create_directories(bundle_.path("rootfs/usr"));
    for (const char* name : {"bin", "sbin", "lib", "lib64"}) {
      fs::create_symlink(std::string("usr/") + name, bundle_.path("rootfs/") + name);
    }
  }
  [[nodiscard]] std::vector<std::string> runc(const std::vector<std::string>& arguments) const {
    std::vector<std::string> argv{"runc", "--root", bundle_.path("state")};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return argv;
  }

  TemporaryDirectory bundle_;
};

}  // namespace

TEST_CASE("runc exec enters beside a perch that has divided its container, and outlives kills") {
  const TemporaryDirectory directory;
  const std::string api = directory.path("api.sock");
  const RuncContainer container(directory);
  PerchProcess perch(directory, app_config(directory), container.inside());
  REQUIRE(perch.wait_ready());
  CHECK(perch.status()["perch"]["pid"] == 1);
  CHECK(perch.status()["perch"]["oom_protection"]["tier"] == "a");

  Process stays({.argv = container.exec({"sh", "-c", "echo in; exec sleep 1000"})});
  REQUIRE(wait_until([&] { return stays.out() == "in\n"; }));
  for (std::uint64_t generation = 1; generation <= 3; ++generation) {
    const Finished entered = run({.argv = container.exec({"cat", "/proc/self/cgroup"})});
    CHECK(entered.ending == exited(0));
    CHECK(entered.out == "0::/perch-self\n");
    REQUIRE(ask_newer(api, generation - 1).generation == generation);
    CHECK_FALSE(ask(api, "hog"));
    CHECK(perch.death_of(generation)["cause"] == "oom-kill");
  }
  CHECK_FALSE(stays.ending());
}

}  // namespace perch::test
