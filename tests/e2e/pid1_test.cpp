// SPDX-License-Identifier: Apache-2.0
// perch as PID 1 of its own PID namespace, as in a container, and the same in a shared one, as in a
// pod with hostPID: it has to behave alike.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "tests/support/perch_process.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

enum class Home { OwnNamespace, Shared };
constexpr std::array kHomes{Home::OwnNamespace, Home::Shared};

std::vector<std::string> prefix_of(Home home) {
  if (home == Home::Shared) return {};
  return {"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"};
}

bool possible() { return have(is_root(), "needs root: a PID namespace"); }

class Container {
 public:
  explicit Container(Home home, const AppConfig& config = {}, Surroundings surroundings = {})
      : home_(home) {
    surroundings.prefix = prefix_of(home);
    perch_.emplace(directory_, app_config(directory_, config), surroundings);
    REQUIRE(wait_until([this] { return ask(api(), "ping").has_value(); }));
  }

  [[nodiscard]] std::string api() const { return directory_.path("api.sock"); }
  PerchProcess& perch() { return *perch_; }
  // As seen from here: unshare's child, or perch itself.
  [[nodiscard]] pid_t pid() const {
    return home_ == Home::Shared ? perch_->pid() : children_of(perch_->pid()).at(0);
  }
  void signal(int number) const { ::kill(pid(), number); }

 private:
  Home home_;
  TemporaryDirectory directory_;
  std::optional<PerchProcess> perch_;
};

// A pipe that nobody reads and that takes no more byte.
class FullPipe {
 public:
  FullPipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    reader_ = UniqueFd(ends[0]);
    writer_ = UniqueFd(ends[1]);
    ::fcntl(writer_.get(), F_SETFL, O_NONBLOCK);
    while (::write(writer_.get(), "x", 1) == 1) {
    }
    ::fcntl(writer_.get(), F_SETFL, 0);
  }
  [[nodiscard]] int writer() const noexcept { return writer_.get(); }

 private:
  UniqueFd reader_;
  UniqueFd writer_;
};

}  // namespace

TEST_CASE("in a namespace of its own perch is PID 1") {
  if (!possible()) return;
  Container container(Home::OwnNamespace);
  CHECK(container.perch().status()["perch"]["pid"] == 1);
}

TEST_CASE("orphans that end do not stay as zombies") {
  if (!possible()) return;
  for (const Home home : kHomes) {
    const Container container(home);
    REQUIRE(ask(container.api(), "orphans 50"));
    CHECK(wait_until([&] { return children_of(container.pid()).size() == 1; }));
  }
}

TEST_CASE("SIGTERM ends the worker and all it left behind, then perch with 0") {
  if (!possible()) return;
  for (const Home home : kHomes) {
    Container container(home);
    REQUIRE(ask(container.api(), "daemons 3"));
    const std::vector<pid_t> children = children_of(container.pid());
    CHECK(children.size() == 4);
    container.signal(SIGTERM);
    CHECK(container.perch().process().wait() == exited(0));
    CHECK(std::ranges::none_of(children, alive));
  }
}

TEST_CASE("a worker that ignores SIGTERM is killed when its time is over") {
  if (!possible()) return;
  for (const Home home : kHomes) {
    Container container(home,
                        {.arguments = {"--ignore-term"}, .worker = "stop_timeout = \"300ms\""});
    container.signal(SIGTERM);
    CHECK(container.perch().process().wait() == exited(0));
  }
}

TEST_CASE("a second SIGTERM ends everything at once") {
  if (!possible()) return;
  for (const Home home : kHomes) {
    Container container(home, {.arguments = {"--ignore-term"}, .worker = "stop_timeout = \"10m\""});
    container.signal(SIGTERM);
    REQUIRE(container.perch().wait_state("stopping"));
    container.signal(SIGTERM);
    CHECK(container.perch().process().wait() == exited(0));
  }
}

TEST_CASE("forwarded signals arrive at the worker, each once") {
  if (!possible()) return;
  for (const Home home : kHomes) {
    const Container container(home);
    for (const int number : {SIGUSR1, SIGUSR2, SIGWINCH}) container.signal(number);
    CHECK(wait_until([&] { return ask(container.api(), "signals")->text == "1 1 1"; }));
  }
}

TEST_CASE("with policy never perch ends as its worker did") {
  if (!possible()) return;
  const TemporaryDirectory directory;
  const std::string worker = from_build("PERCH_TEST_WORKER");
  for (const Home home : kHomes) {
    const auto ending_of = [&](const std::vector<std::string>& command) {
      Command perch{.argv = prefix_of(home)};
      perch.argv.insert(perch.argv.end(), {perch_binary(), "run", "--policy", "never", "--control",
                                           "none", "--listen", directory.path("s"), "--"});
      perch.argv.insert(perch.argv.end(), command.begin(), command.end());
      return run(perch).ending;
    };
    CHECK(ending_of({worker, "--exit-at-start", "0"}) == exited(0));
    CHECK(ending_of({worker, "--exit-at-start", "42"}) == exited(42));
    CHECK(ending_of({"/bin/sh", "-c", "kill -9 $$"}) == exited(128 + SIGKILL));
    CHECK(ending_of({"/bin/sh", "-c", "kill -15 $$"}) == exited(128 + SIGTERM));
    CHECK(ending_of({directory.path("missing")}) == exited(127));
    CHECK(ending_of({directory.path()}) == exited(126));
  }
}

TEST_CASE("full stdout and stderr pipes stop nothing") {
  if (!possible()) return;
  for (const Home home : kHomes) {
    const FullPipe out;
    const FullPipe err;
    Container container(home, {}, {.fds = {{1, out.writer()}, {2, err.writer()}}});
    std::uint64_t last = 0;
    for (int i = 0; i < 20; ++i) {
      last = ask_newer(container.api(), last).generation;
      CHECK_FALSE(ask(container.api(), "signal 9"));
    }
    CHECK(ask_newer(container.api(), last).generation == 21);
    container.signal(SIGTERM);
    CHECK(container.perch().process().wait() == exited(0));
  }
}

TEST_CASE("ten seconds of SIGSTOP kill nobody, though every deadline passes meanwhile") {
  if (!possible()) return;
  for (const Home home : kHomes) {
    Container container(home, {.arguments = {"--ready", "late:2000"},
                               .worker = "readiness = {by = \"notify\", timeout = \"6s\"}"});
    const Reply before = *ask(container.api(), "ping");
    container.signal(SIGSTOP);
    // What is waited for is the time itself: that the deadline lies in the past.
    (void)wait_until([] { return false; }, std::chrono::seconds(10));
    container.signal(SIGCONT);
    CHECK(container.perch().wait_ready());
    const auto after = ask(container.api(), "ping");
    REQUIRE(after);
    CHECK(after->pid == before.pid);
    CHECK(container.perch().worker()["starts"] == 1);
  }
}

}  // namespace perch::test
