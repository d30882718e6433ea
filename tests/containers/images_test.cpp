// SPDX-License-Identifier: Apache-2.0
// perch as people run it: PID 1 of a container made from the images of packaging/docker, with a
// limit of memory, few capabilities and a read-only root; its clients are in other containers.
#include "tests/containers/images.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/client.h"
#include "tests/support/keeper_world.h"
#include "tests/support/nginx_config.h"
#include "tests/support/perch_process.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

constexpr int kKills = 20;

bool possible() {
  const std::string perch = from_build("PERCH_STATIC_BINARY");
  return have(is_root(), "needs root: podman") && have(is_installed("podman"), "needs podman") &&
         have(is_installed("runc"), "needs runc") && have(is_installed("tini"), "needs tini") &&
         have(::access(perch.c_str(), X_OK) == 0, "needs a static perch in build/static");
}

std::string mounted(const std::string& path, const std::string& at) { return path + ":" + at; }

// A directory that perch's user may write to.
class Volume {
 public:
  explicit Volume(unsigned user = kPerchUser) {
    REQUIRE(::chown(directory_.path().c_str(), user, user) == 0);
  }
  [[nodiscard]] const TemporaryDirectory& directory() const { return directory_; }
  [[nodiscard]] std::string path(std::string_view name) const { return directory_.path(name); }
  // The same place inside.
  [[nodiscard]] std::string mount() const { return mounted(directory_.path(), directory_.path()); }

 private:
  TemporaryDirectory directory_;
};

// The harness runs perch by its path: that becomes $0 here, and the image has an entrypoint.
std::vector<std::string> as_prefix(const std::vector<std::string>& command) {
  return {"sh", "-c", fmt::format("exec {} \"$@\"", fmt::join(command, " "))};
}

pid_t first_process(const Podman& podman, const std::string& name) {
  const Finished told =
      run({.argv = podman.command({"inspect", "--format", "{{.State.Pid}}", name})});
  REQUIRE(told.ending == exited(0));
  return std::stoi(told.out);
}

enum class First { Perch, Keeper };

// perch as PID 1 of a container named "perch", or below a keeper that is, with the test-worker.
class Service {
 public:
  Service(const Podman& podman, const Podman::Run& container, const AppConfig& app = {},
          First first = First::Perch)
      : perch_(volume_.directory(), app_config(volume_.directory(), app),
               {.prefix = as_prefix(podman.run_command(completed(container, first))),
                .arguments = keeper_options(first)}) {}

  [[nodiscard]] const Volume& volume() const { return volume_; }
  [[nodiscard]] PerchProcess& perch() { return perch_; }
  [[nodiscard]] std::string api() const { return volume_.path("api.sock"); }

  // The record of the death.
  nlohmann::json oom_kill() {
    last_ = ask_newer(api(), last_).generation;
    CHECK_FALSE(ask(api(), "hog"));
    return perch_.death_of(last_);
  }

 private:
  [[nodiscard]] std::string keeper_socket() const { return volume_.path("keep.sock"); }
  [[nodiscard]] std::vector<std::string> keeper_options(First first) const {
    if (first == First::Perch) return {};
    return {"--keeper", keeper_socket()};
  }
  [[nodiscard]] Podman::Run completed(Podman::Run container, First first) const {
    container.name = "perch";
    if (first == First::Keeper) {
      container.arguments = {"keep", "--socket", keeper_socket(), "--", "/perch"};
    }
    container.options.insert(
        container.options.end(),
        {"-v", volume_.mount(), "-e", "PERCH_CONTROL=" + volume_.path("perch.sock")});
    return container;
  }

  Volume volume_;
  PerchProcess perch_;
  std::uint64_t last_ = 0;
};

// Clients in a container of their own.
class ContainerClients {
 public:
  ContainerClients(const Podman& podman, const std::string& name, const std::string& mount,
                   const std::string& socket)
      : process_({.argv = podman.run_command({.name = name,
                                              .image = kBareImage,
                                              .options = {"-v", mount},
                                              .arguments = {"/clients", socket, "ping\n"}})}) {
    REQUIRE(wait_until([&] { return process_.out().contains("serving\n"); }));
  }

  // They end, and none of them was ever refused.
  void check_nobody_was_refused() {
    process_.signal(SIGTERM);
    REQUIRE(process_.wait() == exited(0));
    const std::string out = process_.out();
    const auto counts = nlohmann::json::parse(out.substr(out.find('{')));
    INFO(counts.dump());
    CHECK(counts["served"] > kKills);
    for (const char* failure : {"refused", "missing", "full", "other"}) CHECK(counts[failure] == 0);
    CHECK(counts["inodes"] == 1);
  }

 private:
  Process process_;
};

void survive_oom_kills(const Podman& podman, Service& service) {
  REQUIRE(service.perch().wait_ready());
  const pid_t first = first_process(podman, "perch");
  ContainerClients by_directory(podman, "by-directory", service.volume().mount(), service.api());
  ContainerClients by_file(podman, "by-file", mounted(service.api(), "/api.sock"), "/api.sock");
  for (int i = 0; i < kKills; ++i) CHECK(service.oom_kill()["cause"] == "oom-kill");
  by_directory.check_nobody_was_refused();
  by_file.check_nobody_was_refused();
  CHECK(service.perch().worker()["deaths"]["oom-kill"] == kKills);
  CHECK(service.perch().worker()["starts"] == kKills + 1);
  CHECK(service.perch().status()["perch"]["pid"] == 1);
  CHECK(first_process(podman, "perch") == first);
}

}  // namespace

TEST_CASE("PID 1 of the image, not root, survives OOM kills, no client elsewhere is refused") {
  if (!possible()) return;
  const Podman podman;
  build_perch_image(podman);
  build_worker_image(podman);
  build_bare_image(podman);
  Service service(podman, {.image = kWorkerImage});
  survive_oom_kills(podman, service);
  const pid_t first = first_process(podman, "perch");
  CHECK(status_field(first, "Uid") == std::to_string(kPerchUser));
  CHECK(status_field(first, "CapEff") == "0000000000000000");
  service.perch().process().signal(SIGTERM);
  CHECK(service.perch().process().wait() == exited(0));
}

TEST_CASE("so does one that is root and has the default capabilities") {
  if (!possible()) return;
  const Podman podman;
  build_perch_image(podman);
  build_worker_image(podman);
  build_bare_image(podman);
  Service service(podman, {.image = kWorkerImage, .options = {"--user", "0"}});
  survive_oom_kills(podman, service);
  CHECK(status_field(first_process(podman, "perch"), "CapEff") == "00000000800405fb");
}

TEST_CASE("a keeper as PID 1 of the image starts a killed perch again, no client is refused") {
  if (!possible()) return;
  constexpr int kPerchKills = 3;
  const Podman podman;
  build_perch_image(podman);
  build_worker_image(podman);
  build_bare_image(podman);
  Service service(podman, {.image = kWorkerImage}, {}, First::Keeper);
  REQUIRE(service.perch().wait_ready());
  ContainerClients clients(podman, "by-directory", service.volume().mount(), service.api());
  const pid_t keeper = first_process(podman, "perch");
  for (int i = 0; i < kPerchKills; ++i) {
    KeeperWorld::wait_kept(service.perch());
    const std::vector<pid_t> before = children_of(keeper);
    REQUIRE(before.size() == 1);
    REQUIRE(::kill(before.front(), SIGKILL) == 0);
    REQUIRE(wait_until([&] {
      const std::vector<pid_t> now = children_of(keeper);
      return now.size() == 1 && now != before && service.perch().wait_ready();
    }));
    CHECK(service.perch().status()["listeners"]["api"]["claimed"] == "revived");
  }
  clients.check_nobody_was_refused();
  CHECK(first_process(podman, "perch") == keeper);
  service.perch().process().signal(SIGTERM);
  CHECK(service.perch().process().wait() == exited(0));
}

TEST_CASE("the health check of the image is whether the workers are ready") {
  if (!possible()) return;
  const Podman podman;
  build_perch_image(podman);
  build_worker_image(podman);
  const auto health = [&] {
    return run({.argv = podman.command({"healthcheck", "run", "perch"})}).ending;
  };
  Service service(podman, {.image = kWorkerImage},
                  {.arguments = {"--ready", "none"}, .worker = "readiness.by = \"notify\""});
  REQUIRE(service.perch().wait_state("starting"));
  CHECK(health() == exited(1));
  service.perch().write_config(app_config(service.volume().directory()));
  REQUIRE(service.perch().request("POST", "/v1/reload").status == 200);
  REQUIRE(service.perch().wait_ready());
  CHECK(health() == exited(0));
}

TEST_CASE("an init container leaves perch in a volume, for an image that has none") {
  if (!possible()) return;
  const Podman podman;
  build_perch_image(podman);
  build_bare_image(podman);
  const Volume shared;
  const Finished installed =
      run({.argv = podman.run_command({.name = "init",
                                       .image = kPerchImage,
                                       .options = {"-v", shared.mount()},
                                       .arguments = {"install", shared.path("perch")}})});
  CHECK(installed.ending == exited(0));
  Service service(podman, {.image = kBareImage,
                           .options = {"-v", mounted(shared.directory().path(), "/shared:ro"),
                                       "--entrypoint", "/shared/perch"}});
  REQUIRE(service.perch().wait_ready());
  CHECK(ask(service.api(), "ping"));
}

TEST_CASE("three lines put perch in front of the daemon of an image that exists") {
  if (!possible()) return;
  if (!have(is_installed("nginx"), "needs nginx")) return;
  constexpr unsigned kNginxUser = 101;
  const Podman podman;
  build_perch_image(podman);
  build_nginx_image(podman);
  const Volume web(kNginxUser);
  const Volume state(kNginxUser);
  const std::string config = nginx_config("/run/web", "web.sock", "", "crit");
  // The command says "daemon off" already, as the image's own does.
  write_text(state.path("nginx.conf"), config.substr(config.find('\n') + 1));
  Process container({.argv = podman.run_command(
                         {.name = "web",
                          .image = kNginxImage,
                          .options = {"-v", mounted(web.directory().path(), "/run/web"), "-v",
                                      mounted(state.path("nginx.conf"), "/etc/nginx/nginx.conf:ro"),
                                      "--tmpfs", "/var/log/nginx:mode=1777"}})});
  const auto serves = [&] { return http(web.path("web.sock"), "GET", "/").body == "hello"; };
  REQUIRE(wait_until(serves));
  const ino_t inode = inode_of(web.path("web.sock"));
  const pid_t perch = first_process(podman, "web");
  REQUIRE(children_of(perch).size() == 1);
  ::kill(children_of(perch).front(), SIGKILL);
  CHECK(serves());
  CHECK(inode_of(web.path("web.sock")) == inode);
}

}  // namespace perch::test
