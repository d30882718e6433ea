// SPDX-License-Identifier: Apache-2.0
// A worker that is out to hang perch, to crash it, or to get what is not its own.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>

#include "tests/support/wait_until.h"
#include "tests/unit/handover/hostile_worker.h"
#include "tests/unit/handover/intercept_scene.h"

namespace perch::test {

TEST_CASE("100,000 hostile calls neither hang perch nor move its listener, and no worker waits") {
  InterceptScene scene;
  scene.settings.tcp_reuse_address = true;
  scene.settings.targets[0].mode_is_set = true;
  struct stat before{};
  REQUIRE(::lstat(scene.path().c_str(), &before) == 0);
  const Shared<HostileWorker::Tally> tally;
  const HostileWorker hostile{.tally = *tally,
                              .directory = scene.directory(),
                              .listener = "api.sock",
                              .listener_inode = scene.inode(),
                              .wanted = 100'000};
  const auto process = scene.start({.act = [&] { return hostile.run(); }});
  REQUIRE(process);
  REQUIRE(wait_until(
      [&] {
        scene.loop.run_pending();
        return process->ending().has_value();
      },
      kPatience * 4));
  scene.loop.run();  // until the filter has no process left
  CHECK(process->ending() == 0);
  CHECK(tally->stolen == 0);
  const auto& counts = scene.interceptor->counts();
  MESSAGE(tally->calls.load() << " calls by " << tally->threads.load()
                              << " threads: " << counts.bound << " bound, " << counts.unlinks
                              << " unlinked, " << counts.refused << " renames refused, "
                              << scene.troubles.size() << " lines");
  CHECK(counts.bound > 1);
  CHECK(counts.shutdowns > 0);

  struct stat after{};
  REQUIRE(::lstat(scene.path().c_str(), &after) == 0);
  CHECK(after.st_ino == before.st_ino);
  CHECK(worker::connect(scene.path()) == 0);
  CHECK(scene.run([&] { return worker::bound(scene.path()) < 0; }) == 0);
}

}  // namespace perch::test
