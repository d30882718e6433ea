// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/server.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "supervisor/control/client.h"
#include "tests/support/requirement.h"
#include "tests/unit/control/fixture.h"

namespace perch::control {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kKeptLivez = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

bool begins(const std::string& reply, int status) {
  return reply.starts_with("HTTP/1.1 " + std::to_string(status) + " ");
}

// Plays a scene in a child of ours, which may spoil its own limits and rights.
template <class Scene>
int status_of_child(Scene scene) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    ::_exit(scene());
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

// From now on so many can be opened.
void limit_free_descriptors(std::size_t count) {
  constexpr int kUsed = 200;
  while (::dup(0) < kUsed - 1) {
  }
  ::close_range(kUsed, ~0U, 0);
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = kUsed + count;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

TEST_CASE("the socket is for perch's own user alone, and goes with the server") {
  Served served;
  struct stat about{};
  REQUIRE(::lstat(served.path.c_str(), &about) == 0);
  CHECK(S_ISSOCK(about.st_mode));
  CHECK((about.st_mode & 0777) == 0600);
  served.server.reset();
  CHECK(::lstat(served.path.c_str(), &about) != 0);
}

TEST_CASE("every route answers") {
  Served served;
  served.target.current.perch.version = "9.9";
  CHECK(begins(served.ask("GET", "/v1/status"), 200));
  CHECK(served.ask("GET", "/v1/status").find("\"version\":\"9.9\"") != std::string::npos);
  CHECK(served.ask("GET", "/v1/status").find("application/json") != std::string::npos);
  CHECK(begins(served.ask("GET", "/livez"), 200));
  CHECK(served.ask("GET", "/livez").ends_with("\r\n\r\nok\n"));
  CHECK(begins(served.ask("GET", "/readyz"), 200));
  CHECK(begins(served.ask("POST", "/v1/reload"), 200));
  CHECK(served.target.reloads == 1);
  const auto config = served.ask("GET", "/v1/config");
  CHECK(begins(config, 200));
  CHECK(config.find("Content-Type: application/toml\r\n") != std::string::npos);
  CHECK(config.ends_with("\r\n\r\n[perch]\n"));
}

TEST_CASE("an action is accepted with the event that it comes after") {
  Served served;
  served.target.log.add({.type = Event::Type::PerchStarted});
  for (const std::string action : {"restart", "stop", "start"}) {
    const auto reply = served.ask("POST", "/v1/workers/app/" + action);
    CHECK(begins(reply, 202));
    CHECK(reply.ends_with(R"({"worker":"app","action":")" + action +
                          R"(","since":1,"generation":3,"state":"stopping"})" + "\n"));
  }
  CHECK(served.target.acted ==
        std::vector{WorkerAction::Restart, WorkerAction::Stop, WorkerAction::Start});
}

TEST_CASE("an action on an unknown worker, or refused for now, says why") {
  Served served;
  const auto unknown = served.ask("POST", "/v1/workers/ap/restart");
  CHECK(begins(unknown, 404));
  CHECK(unknown.find(R"({"error":"there is no worker ap"})") != std::string::npos);
  served.target.broken = "perch is ending";
  const auto refused = served.ask("POST", "/v1/workers/app/stop");
  CHECK(begins(refused, 409));
  CHECK(refused.find(R"({"error":"perch is ending"})") != std::string::npos);
  CHECK(served.target.acted.empty());
}

TEST_CASE("not ready names the workers waited for, and is alive none the less") {
  Served served;
  served.target.waiting_for = {"app", "db"};
  const auto reply = served.ask("GET", "/readyz");
  CHECK(begins(reply, 503));
  CHECK(reply.find(R"({"error":"not ready: app db","not_ready":["app","db"]})") !=
        std::string::npos);
  CHECK(begins(served.ask("GET", "/livez"), 200));
}

TEST_CASE("a refused reload says why") {
  Served served;
  served.target.broken = "perch.toml:3: \"x\" is no key";
  const auto reply = served.ask("POST", "/v1/reload");
  CHECK(begins(reply, 422));
  CHECK(reply.find(R"({"error":"perch.toml:3: \"x\" is no key"})") != std::string::npos);
}

TEST_CASE("what is not there, or not for this method, is said so") {
  Served served;
  CHECK(begins(served.ask("GET", "/"), 404));
  CHECK(begins(served.ask("GET", "/v1/status/x"), 404));
  CHECK(begins(served.ask("POST", "/v1/workers/app/explode"), 404));
  CHECK(begins(served.ask("POST", "/v1/workers//stop"), 404));
  CHECK(begins(served.ask("POST", "/v1/workers/a/b/stop"), 404));
  CHECK(served.ask("GET", "/x").find("there is nothing at /x; there is GET /livez, ") !=
        std::string::npos);
  CHECK(begins(served.ask("GET", "/v1/workers/app/stop"), 405));
  const auto reload = served.ask("GET", "/v1/reload");
  CHECK(begins(reload, 405));
  CHECK(reload.find("Allow: POST\r\n") != std::string::npos);
  const auto status = served.ask("DELETE", "/v1/status");
  CHECK(begins(status, 405));
  CHECK(status.find("Allow: GET, HEAD\r\n") != std::string::npos);
  CHECK(served.target.reloads == 0);
}

TEST_CASE("a query that says what nobody asked is refused") {
  Served served;
  for (const auto* query :
       {"/livez?verbose", "/v1/status?", "/v1/events?folow=1", "/v1/events?since",
        "/v1/events?since=x", "/v1/events?since=1&since=1", "/v1/events?since=1&",
        "/v1/events?follow=2", "/v1/events?since=-1", "/v1/events?since=18446744073709551616"}) {
    CAPTURE(query);
    CHECK(begins(served.ask("GET", query), query == std::string("/v1/status?") ? 200 : 400));
  }
  CHECK(served.ask("GET", "/v1/events?folow=1").find(R"(did you mean \"follow\"?)") !=
        std::string::npos);
}

TEST_CASE("HEAD has the header of GET and no body") {
  Served served;
  const auto reply = served.ask("HEAD", "/livez");
  CAPTURE(reply);
  CHECK(begins(reply, 200));
  CHECK(reply.find("Content-Length: 3\r\n") != std::string::npos);
  CHECK(reply.ends_with("\r\n\r\n"));
}

TEST_CASE("what is no HTTP is refused") {
  Served served;
  CHECK(begins(served.ask("hello\r\n\r\n"), 400));
  CHECK(begins(served.ask(std::string("\0\xff\r\n\r\n", 6)), 400));
  CHECK(begins(served.ask("GET / HTTP/2.0\r\n\r\n"), 400));
  CHECK(begins(served.ask("GET /livez HTTP/1.1\r\nContent-Length: x\r\n\r\n"), 400));
}

TEST_CASE("requests are answered in order, pipelined or byte by byte") {
  Served served;
  RawClient pipelined(served.path);
  std::string many;
  for (int i = 0; i < 50; ++i) many += kKeptLivez;
  REQUIRE(pipelined.send(many) == many.size());
  CHECK(served.turn_until([&] { return count(pipelined.received(), "200 OK") == 50; }));

  RawClient slow(served.path);
  const std::string two = "POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}" +
                          std::string(kKeptLivez);
  for (const char byte : two) {
    REQUIRE(slow.send({&byte, 1}) == 1);
    served.loop.run_pending();
  }
  CHECK(served.turn_until([&] { return count(slow.received(), "200 OK") == 2; }));
  CHECK(served.target.reloads == 1);
  CHECK_FALSE(slow.closed());
}

TEST_CASE("a chunked body is read to its end") {
  Served served;
  CHECK(begins(served.ask("POST /v1/reload HTTP/1.1\r\nConnection: close\r\n"
                          "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
               200));
}

TEST_CASE("half a request is answered 408 after the limit, an idle connection just closed") {
  Served served({.connections = 4, .time = milliseconds{30}});
  CHECK(begins(served.ask("GET /livez HT"), 408));
  CHECK(begins(served.ask("POST /v1/reload HTTP/1.1\r\nContent-Length: 10\r\n\r\n{}"), 408));
  CHECK(served.ask("").empty());
  CHECK(served.target.reloads == 0);
}

TEST_CASE("a client that does not read its answers is given up") {
  Served served({.connections = 4, .time = milliseconds{30}});
  served.target.current.perch.config = std::string(8U << 20U, 'x');
  RawClient client(served.path);
  client.send("GET /v1/status HTTP/1.1\r\n\r\n");
  CHECK(served.turn_until([&] { return client.hung_up(); }));
}

TEST_CASE("a request of ten megabytes is refused, and the refusal can be read") {
  Served served;
  std::string request = "POST /v1/reload HTTP/1.1\r\nContent-Length: 10485760\r\n\r\n";
  request.append(10U << 20U, 'x');
  RawClient client(served.path);
  std::string_view rest = request;
  CHECK(served.turn_until([&] {
    rest.remove_prefix(client.send(rest));
    return rest.empty() && client.closed();
  }));
  CHECK(begins(client.received(), 413));
  CHECK(served.target.reloads == 0);
}

TEST_CASE("an endless header is refused") {
  Served served;
  CHECK(begins(served.ask("GET /livez HTTP/1.1\r\nX: " + std::string(100'000, 'x')), 431));
  CHECK(begins(served.ask("GET /" + std::string(100'000, 'x')), 431));
}

TEST_CASE("of two hundred connections the newest are served, and the others told why not") {
  Served served;
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<RawClient>(served.path));
    served.loop.run_pending();
  }
  const auto is_served = [](const auto& client) { return client->received_text(" 200 "); };
  const auto is_refused = [](const auto& client) {
    return client->received_text("too many connections");
  };
  CHECK(served.turn_until([&] {
    for (const auto& client : clients) {
      if (client->received().empty()) client->send(kKeptLivez);
    }
    return std::ranges::count_if(clients, is_served) == 64 &&
           std::ranges::count_if(clients, is_refused) == 136;
  }));
  CHECK(std::ranges::all_of(clients.begin() + 136, clients.end(), is_served));
  // None of them has to go before another is served.
  CHECK(begins(served.ask("GET", "/livez"), 200));
}

TEST_CASE("clients that do not read what they asked for keep nobody out") {
  Served served({.connections = 4});
  served.target.current.perch.config = std::string(8U << 20U, 'x');
  std::vector<std::unique_ptr<RawClient>> deaf;
  for (int i = 0; i < 4; ++i) {
    deaf.push_back(std::make_unique<RawClient>(served.path));
    deaf.back()->send("GET /v1/status HTTP/1.1\r\n\r\n");
    served.loop.run_pending();
  }
  CHECK(begins(served.ask("GET", "/livez"), 200));
}

TEST_CASE("a client is let in only where enough descriptors are left for a worker") {
  const std::size_t spare = HttpLimits{}.spare_descriptors;
  for (const std::size_t left : {spare - 1, spare}) {
    CAPTURE(left);
    Served served;
    RawClient client(served.path);
    client.send(kKeptLivez);
    const int status = status_of_child([&] {
      limit_free_descriptors(1 + left);
      const auto* const wanted = left < spare ? " 503 " : " 200 ";
      return served.turn_until([&] { return client.received_text(wanted); }) ? 0 : 1;
    });
    CHECK(status == 0);
  }
}

TEST_CASE("who sleeps makes room where descriptors are short") {
  Served served;
  RawClient sleeper(served.path);
  served.loop.run_pending();
  RawClient client(served.path);
  client.send(kKeptLivez);
  const int status = status_of_child([&] {
    limit_free_descriptors(HttpLimits{}.spare_descriptors);
    const bool done = served.turn_until([&] { return client.received_text(" 200 "); });
    return done && sleeper.received_text(" 503 ") ? 0 : 1;
  });
  CHECK(status == 0);
}

TEST_CASE("without free descriptors the server pauses and serves again later") {
  Served served;
  RawClient client(served.path);
  client.send(kKeptLivez);
  const int status = status_of_child([&] {
    rlimit all{};
    ::getrlimit(RLIMIT_NOFILE, &all);
    const rlimit none{.rlim_cur = 3, .rlim_max = all.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
    served.loop.run_once();  // accept fails
    ::setrlimit(RLIMIT_NOFILE, &all);
    // And is not tried again in the next turns, though a client waits.
    for (int turn = 0; turn < 5; ++turn) served.loop.run_pending();
    if (!client.received().empty() || client.closed()) return 1;
    return served.turn_until([&] { return client.received_text("200 OK"); }) ? 0 : 2;
  });
  CHECK(status == 0);
}

TEST_CASE("the path of a dead perch is taken over") {
  Served served;
  struct stat before{};
  // What a killed perch leaves: a socket file that nobody listens on.
  const auto stale = served.directory.path("stale.sock");
  {
    auto socket = unix_socket(SOCK_STREAM, Blocking::No);
    const auto address = unix_address(stale);
    REQUIRE(::bind(socket->get(), address->get(), address->size) == 0);
  }
  REQUIRE(::lstat(stale.c_str(), &before) == 0);
  auto second = ControlServer::open(served.loop, stale, served.target, {});
  REQUIRE(second);
  RawClient client(stale);
  client.send(kKeptLivez);
  CHECK(served.turn_until([&] { return client.received_text("200 OK"); }));
}

TEST_CASE("the path of a live owner is never taken") {
  Served served;
  const auto second = ControlServer::open(served.loop, served.path, served.target, {});
  REQUIRE_FALSE(second);
  CHECK(second.error().text().find(served.path) != std::string::npos);
  CHECK(begins(served.ask("GET", "/livez"), 200));

  const auto file = served.directory.path("file");
  test::write_text(file, "precious");
  CHECK_FALSE(ControlServer::open(served.loop, file, served.target, {}));
  CHECK(::access(file.c_str(), F_OK) == 0);
}

TEST_CASE("the socket's directory is made, its parents are not") {
  Served served;
  const auto inside = served.directory.path("perch") + "/control.sock";
  CHECK(ControlServer::open(served.loop, inside, served.target, {}));
  const auto deep = served.directory.path("a") + "/b/control.sock";
  CHECK_FALSE(ControlServer::open(served.loop, deep, served.target, {}));
}

TEST_CASE("a server that goes takes its open connections along") {
  Served served;
  RawClient idle(served.path);
  RawClient half(served.path);
  half.send("GET /liv");
  served.loop.run_pending();
  served.server.reset();
  CHECK(served.turn_until([&] { return idle.closed() && half.closed(); }));
}

}  // namespace perch::control
