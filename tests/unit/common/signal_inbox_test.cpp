// SPDX-License-Identifier: Apache-2.0
// SignalInbox: signals on the loop, and nowhere else.
#include "common/loop/signal_inbox.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "tests/support/wait_until.h"

namespace perch::test {
namespace {

sigset_t set_of(std::initializer_list<int> numbers) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : numbers) ::sigaddset(&set, number);
  return set;
}

// The test's mask is put back; by then nothing is pending.
class Mask {
 public:
  Mask() { ::sigprocmask(SIG_BLOCK, nullptr, &before_); }
  ~Mask() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  Mask(const Mask&) = delete;
  Mask& operator=(const Mask&) = delete;

 private:
  sigset_t before_{};
};

struct Scene {
  Mask mask;
  Loop loop;
  std::vector<int> heard;

  bool run_until_heard(std::size_t count) {
    return wait_until([&] {
      loop.run_pending();
      return heard.size() >= count;
    });
  }
};

}  // namespace

TEST_CASE("signals are heard when the loop turns, each once") {
  Scene scene;
  const auto inbox = SignalInbox::open(scene.loop, set_of({SIGUSR1, SIGTERM}),
                                       [&](int number) { scene.heard.push_back(number); });
  REQUIRE(inbox);
  ::kill(::getpid(), SIGTERM);
  ::kill(::getpid(), SIGUSR1);
  CHECK(scene.heard.empty());
  CHECK(scene.run_until_heard(2));
  std::ranges::sort(scene.heard);
  CHECK(scene.heard == std::vector{SIGUSR1, SIGTERM});
  scene.loop.run_pending();
  CHECK(scene.heard.size() == 2);
}

TEST_CASE("a signal that is ignored is heard all the same") {
  Scene scene;
  const auto inbox = SignalInbox::open(scene.loop, set_of({SIGUSR1}),
                                       [&](int number) { scene.heard.push_back(number); });
  REQUIRE(inbox);
  ::signal(SIGUSR1, SIG_IGN);
  ::kill(::getpid(), SIGUSR1);
  CHECK(scene.run_until_heard(1));
  ::signal(SIGUSR1, SIG_DFL);
}

TEST_CASE("what a signal leads to may destroy the inbox") {
  Scene scene;
  std::unique_ptr<SignalInbox> inbox;
  const std::vector<int> kept(100, 1);
  auto opened = SignalInbox::open(scene.loop, set_of({SIGUSR1}), [&, kept](int number) {
    inbox.reset();
    if (kept.size() == 100) scene.heard.push_back(number);  // still there
  });
  REQUIRE(opened);
  inbox = std::make_unique<SignalInbox>(std::move(*opened));
  ::kill(::getpid(), SIGUSR1);
  CHECK(scene.run_until_heard(1));
  CHECK(scene.heard == std::vector{SIGUSR1});
}

}  // namespace perch::test
