// SPDX-License-Identifier: Apache-2.0
// The control socket and the HTTP port: who may ask what, what is told, and that no client, however
// he behaves, costs a worker its supervision or perch a descriptor.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <list>

#include "tests/support/perch_process.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

constexpr std::string_view kFollow = "GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n";

// A perch with one worker, before and during an attack.
struct Scene {
  explicit Scene(const std::string& perch_keys = "", const Surroundings& surroundings = {})
      : perch(directory, perch_keys + "\n" + app_config(directory), surroundings) {
    ::chmod(directory.path().c_str(), 0755);
    REQUIRE(perch.wait_ready());
    last = ask_newer(api, 0).generation;
    fds = open_fds(perch.pid());
  }
  // A killed worker is back, and perch answers.
  void check_that_perch_works() {
    const Reply reply = ask_newer(api, last - 1);
    ::kill(reply.pid, SIGKILL);
    last = ask_newer(api, reply.generation).generation;
    CHECK(last == reply.generation + 1);
    CHECK(perch.request("GET", "/livez").status == 200);
    CHECK(perch.worker()["deaths"]["exec-failed"] == 0);
  }
  void check_that_nothing_is_left() {
    CHECK(wait_until([this] { return open_fds(perch.pid()) <= fds; }));
  }

  TemporaryDirectory directory;
  std::string api = directory.path("api.sock");
  std::string control = directory.path("perch.sock");
  PerchProcess perch;
  std::uint64_t last = 0;
  std::size_t fds = 0;
};

struct User {
  std::string uid;
  std::string gid = "5";
  std::string groups{};
  std::vector<std::string> within{};  // a command that runs the client, such as unshare
};

// What curl, run by that user, is answered.
HttpAnswer curl_as(const User& user, const Scene& scene, const std::string& method,
                   const std::string& target) {
  std::vector<std::string> argv{"setpriv", "--reuid", user.uid, "--regid", user.gid};
  if (user.groups.empty()) argv.emplace_back("--clear-groups");
  if (!user.groups.empty()) argv.insert(argv.end(), {"--groups", user.groups});
  argv.insert(argv.end(), user.within.begin(), user.within.end());
  argv.insert(argv.end(),
              {"curl", "--silent", "--max-time", "20", "--request", method, "--unix-socket",
               scene.control, "--write-out", "%{http_code}", "http://perch" + target});
  const Finished finished = run({.argv = argv});
  REQUIRE(finished.out.size() >= 3);
  const std::size_t end = finished.out.size() - 3;
  return {.status = std::stoi(finished.out.substr(end)), .body = finished.out.substr(0, end)};
}

// Somebody who reads the events as they come.
class Follower {
 public:
  explicit Follower(const Scene& scene, std::uint64_t since = 0) : client_(scene.control) {
    client_.send(
        fmt::format("GET /v1/events?follow=1&since={} HTTP/1.1\r\nHost: x\r\n\r\n", since));
    while (client_.line().value_or("\r") != "\r") {
    }
  }
  // The next event; null when the stream has ended.
  nlohmann::json next() {
    const auto line = client_.line();
    return line ? nlohmann::json::parse(*line, nullptr, false) : nlohmann::json();
  }
  // Up to and with the one that says so.
  std::vector<nlohmann::json> until(const std::string& key, const std::string& value) {
    std::vector<nlohmann::json> events{next()};
    while (events.back().is_object() && events.back().value(key, "") != value) {
      events.push_back(next());
    }
    return events;
  }

 private:
  Client client_;
};

std::uint64_t last_id(const Scene& scene) {
  const std::string lines = scene.perch.request("GET", "/v1/events").body;
  const std::size_t begin = lines.rfind("{\"id\":");
  return nlohmann::json::parse(lines.substr(begin)).at("id");
}

bool without_gap(const std::vector<nlohmann::json>& events) {
  std::uint64_t expected = events.front().value("id", std::uint64_t{0});
  return std::ranges::all_of(events, [&](const nlohmann::json& event) {
    return event.value("id", std::uint64_t{0}) == expected++;
  });
}

std::string port_in(const std::string& log) {
  constexpr std::string_view kWords = "http: listening on 127.0.0.1:";
  const std::size_t at = log.find(kWords);
  REQUIRE(at != std::string::npos);
  const std::size_t begin = at + kWords.size();
  return log.substr(begin, log.find('\n', at) - begin);
}

HttpAnswer curl_port(const std::string& port, const std::string& method,
                     const std::string& target) {
  const Finished finished =
      run({.argv = {"curl", "--silent", "--max-time", "20", "--request", method, "--write-out",
                    "%{http_code}", "http://127.0.0.1:" + port + target}});
  REQUIRE(finished.out.size() >= 3);
  const std::size_t end = finished.out.size() - 3;
  return {.status = std::stoi(finished.out.substr(end)), .body = finished.out.substr(0, end)};
}

void allow_many_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

TEST_CASE("restart, stop and start are followed by their events") {
  const Scene scene;
  const auto act = [&](const std::string& action) {
    const HttpAnswer answer = scene.perch.request("POST", "/v1/workers/app/" + action);
    CHECK(answer.status == 202);
    return nlohmann::json::parse(answer.body);
  };
  const auto restarted = act("restart");
  CHECK(restarted["worker"] == "app");
  CHECK(restarted["action"] == "restart");
  CHECK(restarted["generation"] == scene.last);
  Follower follower(scene, restarted["since"]);
  const auto events = follower.until("to", "ready");
  CHECK(without_gap(events));
  CHECK(events.front()["id"] == restarted["since"].get<std::uint64_t>() + 1);
  CHECK(events.back()["generation"] == scene.last + 1);
  CHECK(ask_newer(scene.api, scene.last).generation == scene.last + 1);

  act("stop");
  CHECK(follower.until("to", "idle").back()["to"] == "idle");
  CHECK(act("start")["state"] == "ready");
  CHECK(follower.until("to", "ready").back()["generation"] == scene.last + 2);
}

TEST_CASE("an action that cannot be is refused with a reason") {
  const Scene scene;
  const HttpAnswer unknown = scene.perch.request("POST", "/v1/workers/ap/restart");
  CHECK(unknown.status == 404);
  CHECK(unknown.body ==
        "{\"error\":\"there is no worker \\\"ap\\\"; did you mean \\\"app\\\"?\"}\n");
}

TEST_CASE("the running configuration is a file that perch takes") {
  const Scene scene("readers = [\"user:5\"]\noperators = [\"group:games\"]\n");
  const HttpAnswer answer = scene.perch.request("GET", "/v1/config");
  CHECK(answer.status == 200);
  const std::string path = scene.directory.path("again.toml");
  write_text(path, answer.body);
  CHECK(run_perch({"check", "-c", path}).ending == exited(0));
}

TEST_CASE("events tell each life of a worker, numbered without gaps") {
  Scene scene;
  Follower follower(scene);
  for (int i = 0; i < 20; ++i) {
    ::kill(ask_newer(scene.api, scene.last - 1).pid, SIGKILL);
    scene.last = ask_newer(scene.api, scene.last).generation;
  }
  std::vector<nlohmann::json> all;
  for (int i = 0; i <= 20; ++i) {
    for (auto& event : follower.until("to", "ready")) all.push_back(std::move(event));
  }
  CHECK(all.front()["id"] == 1);
  CHECK(without_gap(all));
  CHECK(std::ranges::count_if(all, [](const auto& event) {
          return event["type"] == "worker-death" && event["death"]["cause"] == "signal";
        }) == 20);
  // Asked again, the list has the same.
  CHECK(last_id(scene) == all.back()["id"]);
}

TEST_CASE("readers look, operators act, others are told which key would let them in") {
  if (!have(is_root() && is_installed("setpriv"), "needs root and setpriv: other users")) return;
  Scene scene("readers = [\"user:1001\", \"group:2001\"]\noperators = [\"group:2002\"]");
  struct Case {
    User user;
    int look;
    int act;
  };
  const std::list<Case> cases{{{.uid = "1001"}, 200, 403},
                              {{.uid = "7", .gid = "2001"}, 200, 403},
                              {{.uid = "7", .groups = "6,2001"}, 200, 403},
                              {{.uid = "7", .groups = "2002"}, 200, 202},
                              {{.uid = "0"}, 200, 202},
                              {{.uid = "7"}, 403, 403},
                              {{.uid = "2001", .gid = "1001"}, 403, 403},
                              {{.uid = "65534", .gid = "65534"}, 403, 403}};
  for (const auto& [user, look, act] : cases) {
    CAPTURE(user.uid);
    CAPTURE(user.gid);
    CAPTURE(user.groups);
    CHECK(curl_as(user, scene, "GET", "/v1/status").status == look);
    CHECK(curl_as(user, scene, "GET", "/readyz").status == look);
    CHECK(curl_as(user, scene, "GET", "/v1/config").status == (act == 202 ? 200 : 403));
    CHECK(curl_as(user, scene, "POST", "/v1/workers/app/start").status == act);
  }
  const std::string why = curl_as({.uid = "7"}, scene, "GET", "/v1/status").body;
  CHECK(why.contains("\\\"user:7\\\" into perch.readers"));
  scene.check_that_perch_works();
}

TEST_CASE("without rules the socket is closed to others; a reload opens and closes it") {
  if (!have(is_root() && is_installed("setpriv"), "needs root and setpriv: other users")) return;
  const Scene scene;
  const User user{.uid = "7"};
  CHECK(curl_as(user, scene, "GET", "/livez").status == 0);
  scene.perch.write_config("readers = [\"user:7\"]\n" + app_config(scene.directory));
  CHECK(scene.perch.request("POST", "/v1/reload").status == 200);
  CHECK(curl_as(user, scene, "GET", "/livez").status == 200);
  scene.perch.write_config(app_config(scene.directory));
  CHECK(scene.perch.request("POST", "/v1/reload").status == 200);
  CHECK(curl_as(user, scene, "GET", "/livez").status == 0);
}

TEST_CASE("a rule that names nobody is refused with its key") {
  const TemporaryDirectory directory;
  for (const std::string rule : {"user:nobody-at-all", "group:65534"}) {
    PerchProcess perch(directory, "operators = [\"" + rule + "\"]\n" + app_config(directory));
    CHECK(perch.process().wait() == exited(2));
    CHECK(perch.log().contains("perch.operators: "));
  }
  const Scene scene;
  scene.perch.write_config("readers = [\"user:nobody-at-all\"]\n" + app_config(scene.directory));
  const HttpAnswer answer = scene.perch.request("POST", "/v1/reload");
  CHECK(answer.status == 422);
  CHECK(answer.body.contains("perch.readers: user"));
}

TEST_CASE(
    "who has no id in perch's user namespace is nobody, and hiding in one makes nobody else") {
  const bool can =
      is_root() && is_installed("setpriv") && is_installed("unshare") &&
      run({.argv = {"unshare", "--user", "--map-root-user", "true"}}).ending == exited(0);
  if (!have(can, "needs root, setpriv and user namespaces")) return;
  const std::vector<std::string> hidden{"unshare", "--user"};
  SUBCASE("the client hides") {
    const Scene scene("readers = [\"user:1001\"]");
    CHECK(curl_as({.uid = "7", .within = hidden}, scene, "GET", "/livez").status == 403);
    CHECK(curl_as({.uid = "1001", .within = hidden}, scene, "GET", "/livez").status == 200);
    CHECK(curl_as({.uid = "1001", .within = hidden}, scene, "POST", "/v1/reload").status == 403);
  }
  SUBCASE("perch is in a namespace with root alone") {
    Scene scene("readers = [\"user:1001\", \"group:2001\"]",
                {.prefix = {"unshare", "--user", "--map-root-user"}});
    for (const User& user : {User{.uid = "1001"}, User{.uid = "7", .groups = "2001"}}) {
      const HttpAnswer answer = curl_as(user, scene, "GET", "/livez");
      CHECK(answer.status == 403);
      CHECK(answer.body.contains("has no id in perch's user namespace"));
    }
    CHECK(curl_as({.uid = "0"}, scene, "GET", "/livez").status == 200);
    scene.check_that_perch_works();
  }
}

TEST_CASE("a client that sends a byte at a time, or half a request, keeps nobody waiting") {
  Scene scene;
  {
    const Client half(scene.control);
    Client slow(scene.control);
    (void)::send(half.fd(), "POST /v1/reload HTTP/1.1\r\nContent-Le", 37, MSG_NOSIGNAL);
    for (const char byte : std::string_view("GET /livez HTTP/1.1\r\n")) {
      CHECK(slow.send({&byte, 1}));
      CHECK(perch::test::http(scene.control, "GET", "/livez").status == 200);
    }
    scene.check_that_perch_works();
    CHECK(slow.send("Connection: close\r\n\r\n"));
    CHECK(slow.line() == "HTTP/1.1 200 OK\r");
  }
  scene.check_that_nothing_is_left();
  CHECK(scene.perch.status()["perch"]["reloads"]["ok"] == 0);
}

TEST_CASE("a request of ten megabytes is refused") {
  Scene scene;
  {
    Client client(scene.control);
    client.send("POST /v1/reload HTTP/1.1\r\nContent-Length: 10485760\r\n\r\n");
    client.send(std::string(10U << 20U, 'x'));
    CHECK(client.line() == "HTTP/1.1 413 Payload Too Large\r");
    scene.check_that_perch_works();
  }
  scene.check_that_nothing_is_left();
  CHECK(scene.perch.status()["perch"]["reloads"]["ok"] == 0);
}

TEST_CASE("a thousand connections that say nothing keep nobody out") {
  allow_many_descriptors();
  Scene scene;
  {
    std::list<Client> clients;
    for (int i = 0; i < 1'000; ++i) {
      REQUIRE(clients.emplace_back(scene.control).error() == 0);
      if (i % 250 == 0) scene.check_that_perch_works();
    }
    scene.check_that_perch_works();
    CHECK(open_fds(scene.perch.pid()) <= scene.fds + 64);
  }
  scene.check_that_nothing_is_left();
}

TEST_CASE("strangers by the hundred are refused, and keep nobody out") {
  const bool can = is_root() && is_installed("setpriv");
  if (!have(can, "needs root and setpriv: other users")) return;
  Scene scene("operators = [\"user:1001\"]");
  // Each on a connection of its own, one after the other, while others are served.
  Process strangers(
      {.argv = {"setpriv", "--reuid", "7", "--regid", "7", "--clear-groups", "curl", "--silent",
                "--max-time", "60", "--parallel", "--unix-socket", scene.control, "--output",
                "/dev/null", "--write-out", "%{http_code}\\n", "http://perch/v1/status?[1-500]"}});
  while (!strangers.ending())
    CHECK(perch::test::http(scene.control, "GET", "/livez").status == 200);
  scene.check_that_perch_works();
  const std::string out = strangers.out();
  std::size_t refused = 0;
  for (std::size_t at = out.find("403\n"); at != std::string::npos;
       at = out.find("403\n", at + 1)) {
    ++refused;
  }
  CHECK(refused == 500);
  scene.check_that_nothing_is_left();
}

TEST_CASE("clients cannot take the descriptors that a worker's start needs") {
  Scene scene;
  // Four more than are kept free.
  const rlim_t few = scene.fds + 16 + 4;
  rlimit limit{};
  REQUIRE(::prlimit(scene.perch.pid(), RLIMIT_NOFILE, nullptr, &limit) == 0);
  limit.rlim_cur = few;
  REQUIRE(::prlimit(scene.perch.pid(), RLIMIT_NOFILE, &limit, nullptr) == 0);
  {
    std::list<Client> clients;
    for (int i = 0; i < 30; ++i) CHECK(clients.emplace_back(scene.control).send(kFollow));
    for (int i = 0; i < 30; ++i) {
      const Reply reply = ask_newer(scene.api, scene.last - 1);
      ::kill(reply.pid, SIGKILL);
      scene.last = ask_newer(scene.api, reply.generation).generation;
    }
    CHECK(open_fds(scene.perch.pid()) <= scene.fds + 4);
    CHECK(open_fds(scene.perch.pid()) > scene.fds);
  }
  scene.check_that_nothing_is_left();
  scene.check_that_perch_works();
}

TEST_CASE("a perch that is short of descriptors from the start keeps its worker, and answers") {
  if (!have(is_installed("prlimit"), "needs prlimit")) return;
  Scene scene("", {.prefix = {"prlimit", "--nofile=48:48"}});
  {
    std::list<Client> clients;
    for (int i = 0; i < 100; ++i) CHECK(clients.emplace_back(scene.control).send(kFollow));
    for (int i = 0; i < 10; ++i) scene.check_that_perch_works();
  }
  scene.check_that_nothing_is_left();
}

TEST_CASE("followers who do not read cost no supervision, and are dropped") {
  Scene scene;
  std::list<Client> deaf;
  for (int i = 0; i < 16; ++i) CHECK(deaf.emplace_back(scene.control).send(kFollow));
  REQUIRE(wait_until([&] { return open_fds(scene.perch.pid()) == scene.fds + 16; }));
  // Each restart is three events; perch keeps 500, a socket some hundreds.
  for (int i = 0; i < 500; ++i) {
    ::kill(ask_newer(scene.api, scene.last - 1).pid, SIGKILL);
    scene.last = ask_newer(scene.api, scene.last).generation;
  }
  scene.check_that_nothing_is_left();
  CHECK(last_id(scene) > 1'500);
  scene.check_that_perch_works();
}

TEST_CASE("the HTTP port has the probes and nothing else") {
  Scene scene("http = \"127.0.0.1:0\"");
  const std::string port = port_in(scene.perch.log());
  CHECK(curl_port(port, "GET", "/livez").body == "ok\n");
  CHECK(curl_port(port, "GET", "/readyz").status == 200);
  CHECK(curl_port(port, "GET", "/v1/status").status == 404);
  CHECK(curl_port(port, "GET", "/v1/events?follow=1").status == 404);
  CHECK(curl_port(port, "POST", "/v1/workers/app/stop").status == 404);
  CHECK(scene.perch.request("POST", "/v1/workers/app/stop").status == 202);
  CHECK(scene.perch.wait_state("idle"));
  CHECK(curl_port(port, "GET", "/readyz").status == 503);
  CHECK(curl_port(port, "GET", "/livez").status == 200);
}

TEST_CASE("a port in use costs the probes over TCP, not the supervision") {
  Scene first("http = \"127.0.0.1:0\"");
  const std::string port = port_in(first.perch.log());
  Scene second("http = \"127.0.0.1:" + port + "\"");
  CHECK(second.perch.log().contains("no probes over TCP: http port 127.0.0.1:" + port +
                                    ": bind: Address already in use"));
  second.check_that_perch_works();
}

}  // namespace perch::test
