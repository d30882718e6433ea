// SPDX-License-Identifier: Apache-2.0
// What a keeper does with its command, where the end of one life meets the begin of the next.
#include "supervisor/keeper/charge.h"

#include <doctest/doctest.h>
#include <sys/prctl.h>

#include <csignal>
#include <optional>

#include "common/posix/file.h"
#include "tests/support/process_info.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/keeper/scene.h"

namespace perch::test {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kRestTakes{50};

// Leaves an orphan behind, once; each life writes down its pid.
constexpr auto kProgram = R"(
  echo $$ >> "$0"
  if [ ! -e "$0.orphan" ]; then sleep 1000 & echo $! > "$0.orphan"; kill -9 $$; fi
  exec sleep 1000
)";

// Orphans of the test's children are the test's, as they are a keeper's.
struct Subreaper {
  Subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }
  ~Subreaper() { ::prctl(PR_SET_CHILD_SUBREAPER, 0); }
};

class Scene {
 public:
  Scene()
      : spawner_(std::move(*process::Spawner::create())),
        reaper_(std::move(*process::Reaper::create(
            loop, [this](pid_t pid) { charge_->on_orphan_reaped(pid); }))) {
    process::SpawnRequest request;
    request.command = {"/bin/sh", "-c", kProgram, lives_};
    request.environment = {"PATH=/usr/bin:/bin"};
    charge_.emplace(keeper::Charge::Room{loop, log_, spawner_, reaper_, kRestTakes}, request,
                    [this](int code) { exit_code = code; });
  }
  keeper::Charge& charge() { return *charge_; }
  // How often the command was started, as it says itself.
  [[nodiscard]] auto lives() const {
    const std::string pids = read_file(lives_).value_or("");
    return std::ranges::count(pids, '\n');
  }
  // What was due until now and for so long has been done then.
  void pass(milliseconds time) {
    bool over = false;
    Timer timer(loop, [&](milliseconds) { over = true; });
    timer.arm(time);
    REQUIRE(turn_until(loop, [&] { return over; }));
  }

  Loop loop;
  std::optional<int> exit_code;

 private:
  Subreaper subreaper_;
  TemporaryDirectory directory_;
  std::string lives_ = directory_.path("lives");
  UniqueFd log_file_ = some_file();
  Log log_{log_file_.get()};
  process::Spawner spawner_;
  process::Reaper reaper_;
  std::optional<keeper::Charge> charge_;
};

}  // namespace

TEST_CASE("what was waited for before a command's new life does not end that one") {
  Scene scene;
  scene.charge().start();
  REQUIRE(turn_until(scene.loop, [&] { return scene.lives() == 2; }));
  scene.pass(2 * kRestTakes);
  CHECK(scene.lives() == 2);
  scene.charge().signal(SIGTERM);
  REQUIRE(turn_until(scene.loop, [&] { return scene.exit_code.has_value(); }));
  CHECK(scene.exit_code == 128 + SIGTERM);
  CHECK(scene.lives() == 2);
}

}  // namespace perch::test
