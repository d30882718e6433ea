// SPDX-License-Identifier: Apache-2.0
// Reaper: a main process is dead, then reaped; whatever else ends is an orphan; no zombie stays.
#include "supervisor/process/reaper.h"

#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/process_info.h"
#include "tests/support/wait_until.h"

namespace perch::test {
namespace {

using process::Exit;
using process::Reaper;

template <class Run>
pid_t fork_child(Run run) {
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid != 0) return pid;
  run();
  ::_exit(0);
}

pid_t fork_sleeper() {
  return fork_child([] {
    for (;;) ::pause();
  });
}

UniqueFd pidfd_of(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

class Scene;

// Writes down what it is told: "12 dead Z", "12 exit 3", "12 signal 9".
class Diary final : public Reaper::Mourner {
 public:
  Diary(Scene& scene, pid_t pid) : scene_(scene), pid_(pid) {}
  void on_dead() override;
  void on_reaped(const Exit& exit) override;

 private:
  Scene& scene_;
  pid_t pid_;
};

class Scene {
 public:
  Scene() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    auto made = Reaper::create(loop_, [this](pid_t pid) { orphans.push_back(pid); });
    REQUIRE(made);
    reaper_ = std::make_unique<Reaper>(std::move(*made));
  }
  ~Scene() {
    for (const pid_t child : children_of(::getpid())) ::kill(child, SIGKILL);
    CHECK(run_until([] { return children_of(::getpid()).empty(); }));
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  Reaper& reaper() { return *reaper_; }
  void watch(pid_t pid) {
    diaries_.push_back(std::make_unique<Diary>(*this, pid));
    REQUIRE(reaper_->watch(pid, pidfd_of(pid), *diaries_.back()));
  }
  bool run_until(const std::function<bool()>& predicate) {
    return wait_until([&] {
      loop_.run_pending();
      return predicate();
    });
  }
  bool run_until_told(std::size_t times) {
    return run_until([&] { return told.size() >= times; });
  }

  std::vector<std::string> told;
  std::vector<pid_t> orphans;
  std::function<void()> when_dead = [] {};
  std::function<void()> when_reaped = [] {};

 private:
  Loop loop_;
  std::unique_ptr<Reaper> reaper_;
  std::vector<std::unique_ptr<Diary>> diaries_;
};

void Diary::on_dead() {
  scene_.told.push_back(std::to_string(pid_) + " dead " + state_of(pid_));
  CHECK(scene_.reaper().watches(pid_));
  std::exchange(scene_.when_dead, [] {})();
}

void Diary::on_reaped(const Exit& exit) {
  scene_.told.push_back(std::to_string(pid_) + (exit.by_signal ? " signal " : " exit ") +
                        std::to_string(exit.status));
  CHECK(state_of(pid_) == '?');
  CHECK_FALSE(scene_.reaper().watches(pid_));
  CHECK(exit.max_rss_bytes > 0);
  std::exchange(scene_.when_reaped, [] {})();
}

std::vector<std::string> story(pid_t pid, const std::string& end) {
  return {std::to_string(pid) + " dead Z", std::to_string(pid) + " " + end};
}

}  // namespace

TEST_CASE("a death is told twice: dead while the zombie holds the pid, then reaped and how") {
  Scene scene;
  const pid_t exits = fork_child([] { ::_exit(7); });
  scene.watch(exits);
  CHECK(scene.run_until_told(2));
  CHECK(scene.told == story(exits, "exit 7"));
  scene.told.clear();
  const pid_t killed = fork_sleeper();
  scene.watch(killed);
  ::kill(killed, SIGKILL);
  CHECK(scene.run_until_told(2));
  CHECK(scene.told == story(killed, "signal 9"));
  CHECK(scene.orphans.empty());
}

TEST_CASE("a process that was dead before it was watched is mourned all the same") {
  Scene scene;
  const pid_t pid = fork_child([] {});
  REQUIRE(wait_until([pid] { return state_of(pid) == 'Z'; }));
  scene.watch(pid);
  CHECK(scene.run_until_told(2));
  CHECK(scene.told == story(pid, "exit 0"));
}

TEST_CASE("what a child left behind is reaped and reported as an orphan") {
  Scene scene;
  const pid_t parent = fork_child([] {
    for (int i = 0; i < 5; ++i) {
      if (::fork() == 0) ::_exit(0);
    }
  });
  CHECK(scene.run_until([&] { return scene.orphans.size() == 6; }));
  CHECK(std::ranges::find(scene.orphans, parent) != scene.orphans.end());
  CHECK(children_of(::getpid()).empty());
  CHECK(scene.told.empty());
}

TEST_CASE("many deaths at once are each told once and in order, and leave no zombie") {
  Scene scene;
  std::vector<pid_t> mains;
  for (int i = 0; i < 20; ++i) {
    mains.push_back(fork_child([i] { ::_exit(i); }));
    fork_child([] {});
    scene.watch(mains.back());
  }
  REQUIRE(wait_until([] { return std::ranges::none_of(children_of(::getpid()), alive); }));
  CHECK(scene.run_until([&] { return scene.told.size() >= 40 && scene.orphans.size() >= 20; }));
  CHECK(scene.told.size() == 40);
  CHECK(scene.orphans.size() == 20);
  for (int i = 0; i < 20; ++i) {
    const auto expected = story(mains[static_cast<std::size_t>(i)], "exit " + std::to_string(i));
    const auto at = std::ranges::find(scene.told, expected[0]);
    REQUIRE(at != scene.told.end());
    CHECK(*std::next(at) == expected[1]);
  }
  CHECK(children_of(::getpid()).empty());
}

TEST_CASE("a forgotten main process is an orphan when it ends") {
  Scene scene;
  const pid_t pid = fork_sleeper();
  scene.watch(pid);
  scene.reaper().forget(pid);
  CHECK_FALSE(scene.reaper().watches(pid));
  ::kill(pid, SIGKILL);
  CHECK(scene.run_until([&] { return scene.orphans == std::vector{pid}; }));
  CHECK(scene.told.empty());
}

TEST_CASE("a process that is forgotten while its death is told is an orphan") {
  Scene scene;
  const pid_t pid = fork_child([] {});
  scene.watch(pid);
  // Others come and go meanwhile.
  scene.when_dead = [&] {
    scene.reaper().forget(pid);
    for (int i = 0; i < 20; ++i) scene.watch(fork_sleeper());
  };
  CHECK(scene.run_until([&] { return scene.orphans == std::vector{pid}; }));
  CHECK(scene.told == std::vector{std::to_string(pid) + " dead Z"});
}

TEST_CASE("a successor can be watched the moment its predecessor is reaped") {
  Scene scene;
  const pid_t first = fork_sleeper();
  pid_t second = 0;
  scene.watch(first);
  scene.when_reaped = [&] {
    second = fork_child([] { ::_exit(2); });
    scene.watch(second);
  };
  ::kill(first, SIGKILL);
  CHECK(scene.run_until_told(4));
  CHECK(std::vector(scene.told.begin() + 2, scene.told.end()) == story(second, "exit 2"));
}

TEST_CASE("a watched process can be signalled until it is reaped, and nobody else") {
  Scene scene;
  const pid_t pid = fork_sleeper();
  const auto stranger = scene.reaper().signal(pid, SIGUSR1);
  REQUIRE_FALSE(stranger);
  CHECK(stranger.error().is(ESRCH));
  scene.watch(pid);
  CHECK(scene.reaper().signal(pid, SIGUSR1));
  CHECK(scene.run_until_told(2));
  CHECK(scene.told == story(pid, "signal 10"));
  CHECK(scene.reaper().signal(pid, SIGUSR1).error().is(ESRCH));
}

}  // namespace perch::test
