// SPDX-License-Identifier: Apache-2.0
// A control server on a real socket and loop, what it asks, and a client that sends what it likes.
#pragma once

#include <doctest/doctest.h>
#include <poll.h>

#include <array>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "common/loop/loop.h"
#include "common/posix/unix_socket.h"
#include "supervisor/control/server.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/wait_until.h"

namespace perch::control {

struct FakeTarget final : ControlTarget {
  Status status() override { return current; }
  std::vector<std::string> not_ready() override { return waiting_for; }
  Result<void> reload() override {
    ++reloads;
    if (!broken.empty()) return refuse(broken);
    return {};
  }
  std::expected<ActionBegun, ActionRefused> act(const std::string& worker,
                                                WorkerAction action) override {
    if (worker != "app") {
      return std::unexpected(
          ActionRefused{ActionRefused::Why::UnknownWorker, "there is no worker " + worker});
    }
    if (!broken.empty()) return std::unexpected(ActionRefused{ActionRefused::Why::NotNow, broken});
    acted.push_back(action);
    return ActionBegun{.since = log.last_id(), .generation = 3, .state = "stopping"};
  }
  std::string config_file() override { return "[perch]\n"; }
  EventLog& events() override { return log; }
  Status current;
  EventLog log;
  std::vector<WorkerAction> acted;
  std::vector<std::string> waiting_for;
  std::string broken;
  int reloads = 0;
};

class RawClient {
 public:
  explicit RawClient(UniqueFd connected) : socket_(std::move(connected)) {}
  explicit RawClient(const std::string& path) {
    auto connected = unix_connect(path, SOCK_STREAM, Blocking::No);
    REQUIRE(connected);
    socket_ = std::move(*connected);
  }

  // How many bytes the socket took.
  std::size_t send(std::string_view bytes) const {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }
  // All that has come so far.
  const std::string& received() {
    std::array<char, 65536> chunk{};
    for (ssize_t got = 1; got > 0 && !closed_;) {
      got = ::recv(socket_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
      if (got > 0) received_.append(chunk.data(), static_cast<std::size_t>(got));
      closed_ = got == 0 || (got < 0 && errno != EAGAIN);
    }
    return received_;
  }
  // The server has hung up.
  bool closed() {
    received();
    return closed_;
  }
  // The same, without reading.
  [[nodiscard]] bool hung_up() const {
    pollfd about{.fd = socket_.get(), .events = 0, .revents = 0};
    return ::poll(&about, 1, 0) == 1 && (about.revents & POLLHUP) != 0;
  }
  // Of the answer's body.
  std::vector<std::string> lines() {
    const auto head = received().find("\r\n\r\n");
    if (head == std::string::npos) return {};
    std::istringstream body(received_.substr(head + 4));
    std::vector<std::string> lines;
    for (std::string line; std::getline(body, line);) lines.push_back(line);
    return lines;
  }
  bool received_text(std::string_view text) { return received().find(text) != std::string::npos; }

 private:
  UniqueFd socket_;
  std::string received_;
  bool closed_ = false;
};

struct Served {
  explicit Served(const HttpLimits& limits = {}, const Access& access = {.own = ::geteuid()}) {
    auto opened = ControlServer::open(loop, path, target, access, limits);
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().text()));
    server = std::move(*opened);
  }

  template <class Predicate>
  bool turn_until(Predicate predicate) {
    return test::wait_until([&] {
      loop.run_pending();
      return predicate();
    });
  }
  // The answer to one request whose connection the server closes.
  std::string ask(std::string_view bytes) {
    RawClient client(path);
    client.send(bytes);
    CHECK(turn_until([&] { return client.closed(); }));
    return client.received();
  }
  std::string ask(std::string_view method, std::string_view target_path) {
    return ask(std::string(method) + " " + std::string(target_path) +
               " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }

  test::TemporaryDirectory directory;
  std::string path = directory.path("control.sock");
  Loop loop;
  FakeTarget target;
  std::unique_ptr<ControlServer> server;
};

}  // namespace perch::control
