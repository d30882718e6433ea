// SPDX-License-Identifier: Apache-2.0
#include "tests/daemons/supervised.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "tests/daemons/oci_bundle.h"
#include "tests/support/client.h"
#include "tests/support/perch_process.h"
#include "tests/support/process_info.h"
#include "tests/support/storm_check.h"

namespace perch::test {
namespace {

constexpr std::uint64_t kServedBetween = 20;

std::string config_of(const Daemon& daemon, const TemporaryDirectory& directory) {
  constexpr std::string_view kConfig = R"([listeners.api]
path = "{}"
{}
[workers.app]
command = ["{}"]
listeners = ["api"]
handover = "intercept"
capabilities = [{}]
user = "{}"
{}
[workers.app.restart]
delay = "0ms"
burst = 1000
)";
  const auto line = [](bool wanted, std::string_view key, std::string_view value) {
    return wanted ? fmt::format("{} = \"{}\"", key, value) : "";
  };
  return fmt::format(
      kConfig, daemon.socket_in(directory), line(!daemon.user.empty(), "user", daemon.user),
      fmt::join(daemon.command_in(directory), "\", \""), daemon.keeps_capabilities ? "\"all\"" : "",
      daemon.user, line(daemon.reload != Reload::Unknown, "reload_signal", daemon.reload_signal));
}

OciBundle::Contents contents(const Daemon& daemon, const TemporaryDirectory& directory) {
  OciBundle::Contents contents{
      .command = {perch_binary(), "run", "-c", directory.path("perch.toml")},
      .paths = {directory.path(), perch_binary()}};
  if (daemon.program.contains('/')) contents.paths.push_back(daemon.program);
  return contents;
}

// The daemon under perch, seen from outside.
class Supervised {
 public:
  Supervised(const Daemon& daemon, Home home) : daemon_(daemon), home_(home) {
    const std::string config = config_of(daemon, directory_);
    if (home == Home::Container) {
      bundle_.emplace(contents(daemon, directory_));
      perch_.emplace(directory_, config, Surroundings{.prefix = bundle_->run_command()});
    } else {
      perch_.emplace(directory_, config);
    }
    REQUIRE(perch_->wait_ready());
  }

  [[nodiscard]] std::string socket() const { return daemon_.socket_in(directory_); }
  [[nodiscard]] nlohmann::json worker() const { return perch_->worker(); }
  [[nodiscard]] pid_t perch() const {
    return home_ == Home::Host ? perch_->pid() : only_child(perch_->pid());
  }
  [[nodiscard]] pid_t main_process() const { return only_child(perch()); }

  // The next generation is ready, and serves.
  void kill(const Clients& clients) const {
    const nlohmann::json before = worker();
    ::kill(main_process(), SIGKILL);
    await_generation_after(before, clients);
  }
  void restart(const Clients& clients) const {
    const nlohmann::json before = worker();
    REQUIRE(perch_->request("POST", "/v1/workers/app/restart").status == 202);
    await_generation_after(before, clients);
  }
  // The same generation serves on.
  void reload(const Clients& clients) const {
    if (daemon_.reload == Reload::Unknown) return;
    const pid_t daemon = main_process();
    const std::vector<pid_t> children = children_of(daemon);
    if (daemon_.reload == Reload::NewChildren) {
      REQUIRE_FALSE(children.empty());
      REQUIRE(wait_until([&] { return told_to_reload() && are_gone(children); }));
    } else {
      REQUIRE(told_to_reload());
    }
    clients.must_be_served();
    CHECK(main_process() == daemon);
  }
  void stop() {
    perch_->process().signal(SIGTERM);
    CHECK(perch_->process().wait() == exited(0));
  }

 private:
  [[nodiscard]] bool told_to_reload() const {
    return perch_->request("POST", "/v1/reload").status == 200;
  }
  // In time; else the daemon has to be told again: haproxy forgets what comes while it starts.
  static bool are_gone(const std::vector<pid_t>& pids) {
    return wait_until([&] { return std::ranges::none_of(pids, alive); }, std::chrono::seconds(3));
  }
  // Perch has no other than the daemon's main process, and runc none but perch.
  static pid_t only_child(pid_t pid) {
    const std::vector<pid_t> children = children_of(pid);
    REQUIRE(children.size() == 1);
    return children.front();
  }
  void await_generation_after(const nlohmann::json& before, const Clients& clients) const {
    REQUIRE(wait_until([&] {
      const nlohmann::json now = worker();
      return now.value("starts", 0) > before["starts"].get<int>() &&
             now.value("state", "") == "ready";
    }));
    clients.must_be_served();
  }

  const Daemon& daemon_;
  Home home_;
  TemporaryDirectory directory_;
  std::optional<OciBundle> bundle_;
  std::optional<PerchProcess> perch_;
};

// It is the container that it is meant to be: few capabilities, a seccomp profile, another user.
void check_confinement(const Daemon& daemon, const Supervised& supervised) {
  CHECK(status_field(supervised.perch(), "CapBnd") == kDockerCapabilities);
  CHECK(status_field(supervised.perch(), "CapEff") == kDockerCapabilities);
  CHECK(status_field(supervised.perch(), "Seccomp_filters") == "1");
  const pid_t worker = supervised.main_process();
  CHECK(status_field(worker, "Uid") == std::to_string(account_of(daemon.user).pw_uid));
  CHECK(status_field(worker, "CapEff") ==
        (daemon.keeps_capabilities ? kDockerCapabilities : "0000000000000000"));
  CHECK(status_field(worker, "NoNewPrivs") == "1");
  CHECK(status_field(worker, "Seccomp_filters") == "2");
}

}  // namespace

bool answers(const Daemon& daemon, const std::string& path) {
  Client client(path);
  return client.error() == 0 && client.send(daemon.request) &&
         client.some().starts_with(daemon.answer);
}

void Clients::must_be_served() const {
  const std::uint64_t before = storm_.served();
  REQUIRE(wait_until([&] { return storm_.served() > before + kServedBetween; }));
}

Outcome with_perch(const Daemon& daemon, Home home) {
  Supervised supervised(daemon, home);
  if (home == Home::Container) check_confinement(daemon, supervised);
  Clients clients(daemon, supervised.socket());
  clients.must_be_served();
  for (unsigned i = 0; i < kKills; ++i) supervised.kill(clients);
  supervised.restart(clients);
  supervised.reload(clients);

  const Outcome outcome{.kills = kKills, .counts = clients.stop()};
  check_nobody_was_turned_away(outcome.counts);
  const nlohmann::json worker = supervised.worker();
  CHECK(worker["deaths"]["signal"] == kKills);
  CHECK(worker["deaths"]["requested"] == 1);
  CHECK(worker["starts"] == kKills + 2);
  supervised.stop();
  struct stat left{};
  CHECK(::lstat(supervised.socket().c_str(), &left) == 0);
  CHECK(outcome.counts.inodes.contains(left.st_ino));
  return outcome;
}

Outcome alone(const Daemon& daemon) {
  const TemporaryDirectory directory;
  const std::string path = daemon.socket_in(directory);
  const Command command{.argv = as_user(daemon, daemon.command_in(directory))};
  std::optional<Process> running(command);
  REQUIRE(wait_until([&] { return answers(daemon, path); }));

  Clients clients(daemon, path);
  for (unsigned i = 0; i < kKillsAlone; ++i) {
    clients.must_be_served();
    running.reset();  // kills it, and what it left behind
    ::unlink(path.c_str());
    running.emplace(command);
  }
  clients.must_be_served();
  const Outcome outcome{.kills = kKillsAlone, .counts = clients.stop()};
  running->signal(SIGTERM);
  CHECK(running->wait());
  return outcome;
}

}  // namespace perch::test
