// SPDX-License-Identifier: Apache-2.0
// Listeners that come, go and move by reload: a channel worker gets and gives them while it runs,
// others are restarted for it, and nobody who has connected is lost.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/client_storm.h"
#include "tests/support/perch_process.h"

namespace perch::test {
namespace {

struct Named {
  std::string name;
  std::string path;
};

// One worker, and listeners by name and path.
class World {
 public:
  World(std::string handover, const std::vector<Named>& listeners, std::string more = "")
      : handover_(std::move(handover)),
        more_(std::move(more)),
        perch_(directory_, config(listeners)) {
    REQUIRE(perch_.wait_ready());
  }

  // The perch keys in `top` come first.
  void reload(const std::vector<Named>& listeners, const std::string& top = "") {
    const int before = reloads();
    perch_.write_config(top + config(listeners));
    perch_.process().signal(SIGHUP);
    REQUIRE(wait_until([&] { return reloads() == before + 1; }));
  }

  [[nodiscard]] int reloads() const { return perch_.status()["perch"]["reloads"]["ok"]; }
  [[nodiscard]] int refused() const { return perch_.status()["perch"]["reloads"]["failed"]; }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_.path(name); }
  [[nodiscard]] bool exists(const std::string& name) const {
    return std::filesystem::exists(std::filesystem::symlink_status(path(name)));
  }
  [[nodiscard]] nlohmann::json inode(const std::string& listener) const {
    return perch_.status()["listeners"][listener]["inode"];
  }
  // Who answers there, once somebody does.
  [[nodiscard]] Reply at(const std::string& name, std::string_view request = "ping") const {
    return ask_newer(path(name), 0, request);
  }
  const TemporaryDirectory& directory() const { return directory_; }
  PerchProcess& perch() { return perch_; }

  [[nodiscard]] std::string config(const std::vector<Named>& listeners) const {
    std::string names;
    std::string text;
    for (const Named& listener : listeners) {
      names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", listener.name);
      text += fmt::format("[listeners.{}]\npath = \"{}\"\n", listener.name, path(listener.path));
    }
    return text + fmt::format(
                      "[workers.app]\ncommand = {}\nlisteners = [{}]\nhandover = \"{}\"\n{}\n"
                      "[workers.app.restart]\ndelay = \"0ms\"\n",
                      worker_command(handover_), names, handover_, more_);
  }

 private:
  TemporaryDirectory directory_;
  std::string handover_;
  std::string more_;
  PerchProcess perch_;
};

}  // namespace

TEST_CASE("a channel worker is handed a new listener, and gives one back, while it runs") {
  World world("channel", {{"api", "api.sock"}});
  const Reply first = world.at("api.sock");
  ClientStorm storm(ClientStorm::Target{.path = world.path("api.sock")});

  world.reload({{"api", "api.sock"}, {"admin", "admin.sock"}});
  CHECK(world.at("admin.sock").pid == first.pid);

  Client waiting(world.path("admin.sock"));
  world.reload({{"api", "api.sock"}});
  CHECK_FALSE(world.exists("admin.sock"));
  CHECK_FALSE(world.exists(".admin.sock.perch"));
  CHECK(waiting.send("ping\n"));
  CHECK(waiting.line());
  CHECK(world.at("api.sock").pid == first.pid);
  CHECK(world.perch().worker()["starts"] == 1);

  const StormCounts counts = storm.stop();
  CHECK(counts.served > 0);
  CHECK(counts.refused == 0);
  CHECK(counts.missing == 0);
}

TEST_CASE("clients that connected before a listener was taken from a worker are all served") {
  World world("channel", {{"api", "api.sock"}, {"admin", "admin.sock"}});
  const Reply first = world.at("api.sock");
  REQUIRE(::kill(first.pid, SIGSTOP) == 0);
  std::vector<Client> waiting;
  for (int i = 0; i < 50; ++i) waiting.emplace_back(world.path("admin.sock"));
  world.reload({{"api", "api.sock"}});
  REQUIRE(::kill(first.pid, SIGCONT) == 0);
  for (Client& client : waiting) {
    CHECK(client.error() == 0);
    CHECK(client.send("ping\n"));
    CHECK(client.line());
  }
  CHECK(world.at("api.sock").pid == first.pid);
}

TEST_CASE("a listener that moves is served at its new path by the same channel worker") {
  World world("channel", {{"api", "old.sock"}});
  const Reply first = world.at("old.sock");
  world.reload({{"api", "new.sock"}});
  CHECK(world.at("new.sock").pid == first.pid);
  CHECK_FALSE(world.exists("old.sock"));
  CHECK(world.perch().worker()["starts"] == 1);
}

TEST_CASE(
    "a listener that moves restarts other workers; the old path stays until they have ended") {
  World world("listen-fds", {{"api", "old.sock"}}, "stop_signal = \"SIGUSR1\"");  // which it counts
  const Reply first = world.at("old.sock");
  world.reload({{"api", "new.sock"}});
  CHECK(world.perch().wait_state("stopping"));
  CHECK(world.at("old.sock").pid == first.pid);
  REQUIRE(::kill(first.pid, SIGKILL) == 0);
  CHECK(world.at("new.sock").pid != first.pid);
  CHECK(wait_until([&] { return !world.exists("old.sock"); }));
}

TEST_CASE("a worker on its way out is not asked to take what was claimed anew meanwhile") {
  const TemporaryDirectory directory;
  const std::string one = fmt::format(
      "[listeners.shared]\npath = \"{}\"\n[workers.app]\ncommand "
      "= {}\nlisteners = [\"shared\"]\nhandover = \"channel\"\n",
      directory.path("shared.sock"), worker_command("channel"));
  const std::string both = one + fmt::format(
                                     "[listeners.own]\npath = \"{}\"\n[workers.old]\ncommand = {}\n"
                                     "listeners = [\"shared\", \"own\"]\nhandover = \"channel\"\n",
                                     directory.path("own.sock"), worker_command("channel"));
  PerchProcess perch(directory, both);
  REQUIRE(perch.wait_ready());
  const Reply old = ask_newer(directory.path("own.sock"), 0);
  REQUIRE(::kill(old.pid, SIGSTOP) == 0);
  perch.write_config(one);
  perch.process().signal(SIGHUP);
  REQUIRE(wait_until([&] { return perch.status()["perch"]["reloads"]["ok"] == 1; }));
  REQUIRE(perch.status()["workers"].contains("old"));
  const Reply reply = ask_newer(directory.path("shared.sock"), 0, "shutdown");
  CHECK(wait_until(
      [&] { return perch.status()["listeners"]["shared"]["heals_by_kind"]["reclaimed"] == 1; }));
  REQUIRE(::kill(old.pid, SIGKILL) == 0);
  CHECK(ask_newer(directory.path("shared.sock"), 0).pid == reply.pid);
  CHECK(wait_until([&] { return !perch.status()["workers"].contains("old"); }));
}

TEST_CASE("a listener that comes back while its old worker still ends is the same socket") {
  World world("listen-fds", {{"api", "api.sock"}, {"admin", "admin.sock"}},
              "stop_signal = \"SIGUSR1\"");
  const auto inode = world.inode("admin");
  const Reply first = world.at("api.sock");
  world.reload({{"api", "api.sock"}});
  CHECK(world.perch().wait_state("stopping"));
  world.reload({{"api", "api.sock"}, {"admin", "admin.sock"}});
  REQUIRE(::kill(first.pid, SIGKILL) == 0);
  CHECK(world.at("admin.sock").pid != first.pid);
  CHECK(world.inode("admin") == inode);
}

TEST_CASE("two listeners that swap their paths keep their sockets") {
  World world("channel", {{"api", "api.sock"}, {"admin", "admin.sock"}});
  const auto api = world.inode("api");
  const auto admin = world.inode("admin");
  const Reply first = world.at("api.sock");
  world.reload({{"api", "admin.sock"}, {"admin", "api.sock"}});
  CHECK(world.inode("api") == admin);
  CHECK(world.inode("admin") == api);
  CHECK(world.at("api.sock").pid == first.pid);
  CHECK(world.at("admin.sock").pid == first.pid);
}

TEST_CASE("a refused reload leaves no new socket behind") {
  World world("channel", {{"api", "api.sock"}});
  write_text(world.path("file"), "precious");
  world.perch().write_config(
      world.config({{"api", "api.sock"}, {"a-new", "new.sock"}, {"b-file", "file"}}));
  world.perch().process().signal(SIGHUP);
  CHECK(wait_until([&] { return world.refused() == 1; }));
  CHECK_FALSE(world.exists("new.sock"));
  CHECK(world.exists("file"));
  CHECK(world.at("api.sock").generation == 1);
}

TEST_CASE("a worker that wants it is signalled after each reload") {
  World world("listen-fds", {{"api", "api.sock"}}, "reload_signal = \"SIGUSR2\"");
  CHECK(world.at("api.sock", "signals").text == "0 0 0");
  world.reload({{"api", "api.sock"}});
  CHECK(wait_until([&] { return world.at("api.sock", "signals").text == "0 1 0"; }));
  CHECK(world.perch().worker()["starts"] == 1);
}

TEST_CASE("the control socket moves, and whoever asked for it is answered") {
  World world("listen-fds", {{"api", "api.sock"}});
  const std::string moved = world.path("moved.sock");
  std::string text = world.config({{"api", "api.sock"}});
  write_text(world.perch().config_path(),
             fmt::format("[perch]\ncontrol = \"{}\"\n{}", moved, text));
  const HttpAnswer answer = world.perch().request("POST", "/v1/reload");
  CHECK(answer.status == 200);
  CHECK(wait_until([&] { return http(moved, "GET", "/livez").status == 200; }));
  CHECK(wait_until([&] { return !world.exists("perch.sock"); }));
}

TEST_CASE("a control socket that cannot be had refuses the reload") {
  World world("listen-fds", {{"api", "api.sock"}});
  write_text(world.perch().config_path(),
             fmt::format("[perch]\ncontrol = \"{}\"\n{}", world.path("no/such/place.sock"),
                         world.config({{"api", "api.sock"}})));
  CHECK(world.perch().request("POST", "/v1/reload").status == 422);
  CHECK(world.refused() == 1);
}

TEST_CASE("a file that changes is loaded without being asked, and nothing else is") {
  World world("channel", {{"api", "api.sock"}});
  world.reload({{"api", "api.sock"}}, "reload_on_change = true\n");
  const int before = world.reloads();
  write_text(world.path("neighbour"), "x");
  world.perch().write_config("reload_on_change = true\n" +
                             world.config({{"api", "api.sock"}, {"admin", "admin.sock"}}));
  CHECK(world.at("admin.sock").generation == 1);
  CHECK(world.reloads() == before + 1);
}

TEST_CASE("a ConfigMap's file is loaded when the kubelet swaps its directory") {
  const TemporaryDirectory map;
  const auto publish = [&](const std::string& version, const std::string& text) {
    std::filesystem::create_directory(map.path(version));
    write_text(map.path(version + "/perch.toml"), text);
    std::filesystem::create_symlink(version, map.path("..data_tmp"));
    std::filesystem::rename(map.path("..data_tmp"), map.path("..data"));
  };
  const auto config = [&](const std::string& level) {
    return fmt::format(
        "[perch]\ncontrol = \"{}\"\nreload_on_change = true\nlog_level = \"{}\"\n"
        "[workers.app]\ncommand = [\"sleep\", \"1000\"]\n",
        map.path("control.sock"), level);
  };
  publish("..1", config("info"));
  std::filesystem::create_symlink("..data/perch.toml", map.path("perch.toml"));
  const Process perch({.argv = {perch_binary(), "run", "-c", map.path("perch.toml")}});
  const auto reloads = [&] {
    const auto status = nlohmann::json::parse(
        http(map.path("control.sock"), "GET", "/v1/status").body, nullptr, false);
    return status.is_object() ? status["perch"]["reloads"]["ok"].get<int>() : -1;
  };
  REQUIRE(wait_until([&] { return reloads() == 0; }));
  publish("..2", config("error"));
  std::filesystem::remove_all(map.path("..1"));
  CHECK(wait_until([&] { return reloads() == 1; }));
  publish("..3", config("info"));
  CHECK(wait_until([&] { return reloads() == 2; }));
}

}  // namespace perch::test
