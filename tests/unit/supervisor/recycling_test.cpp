// SPDX-License-Identifier: Apache-2.0
#include "supervisor/recycling.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>

#include "tests/support/temporary_directory.h"
#include "tests/support/wait_until.h"

namespace perch {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr std::uint64_t kMiB = 1U << 20U;

Recycling::Task task(process::MemoryCgroup cgroup = {}) {
  return {.rule = {.mark = 90 * kMiB, .limit = 100 * kMiB, .after = 120ms},
          .mark = "90% of 100.0 MiB",
          .cgroup = std::move(cgroup)};
}

// A worker whose memory the test says; each look ends a turn of the loop.
struct Scene {
  Loop loop;
  std::optional<std::uint64_t> bytes = 0;
  bool blamed = true;
  int looks = 0;
  int asked_for_blame = 0;
  std::string why{};
  std::function<void()> on_look = [] {};
  Recycling recycling{loop,
                      {.bytes =
                           [this] {
                             ++looks;
                             on_look();
                             loop.stop();
                             return bytes;
                           },
                       .to_blame =
                           [this] {
                             ++asked_for_blame;
                             return blamed;
                           },
                       .replace = [this](const std::string& text) { why = text; }}};

  void run(milliseconds limit = test::kPatience) {
    Timer deadline(loop, [this](milliseconds) { loop.stop(); });
    deadline.arm(limit);
    loop.run();
  }
  void run_looks(int more) {
    for (const int wanted = looks + more; looks < wanted;) {
      const int before = looks;
      run();
      REQUIRE(looks > before);
    }
  }
};

}  // namespace

TEST_CASE("who stays above the mark is replaced, once, and the figures say why") {
  Scene scene;
  scene.bytes = 95 * kMiB;
  scene.recycling.start(task());
  while (scene.why.empty()) scene.run_looks(1);
  CHECK(scene.why == "non-reclaimable memory 95.0 MiB above 90% of 100.0 MiB for 120ms");
  CHECK(scene.looks >= 2);
  const int looks = scene.looks;
  scene.run(300ms);
  CHECK(scene.looks == looks);
}

TEST_CASE("who falls below the mark in time, or cannot be read, is not replaced") {
  Scene scene;
  scene.recycling.start(task());
  for (int i = 0; i < 4; ++i) {
    scene.bytes = 95 * kMiB;
    scene.run_looks(1);
    scene.bytes = i % 2 == 0 ? std::optional(90 * kMiB - 1) : std::nullopt;
    scene.run_looks(1);
  }
  CHECK(scene.asked_for_blame == 0);
  CHECK(scene.why.empty());
}

TEST_CASE("while another is to blame nothing happens, and it is asked again later") {
  Scene scene;
  scene.bytes = 95 * kMiB;
  scene.blamed = false;
  scene.recycling.start(task());
  while (scene.asked_for_blame < 2) scene.run_looks(1);
  CHECK(scene.why.empty());
  scene.blamed = true;
  while (scene.why.empty()) scene.run_looks(1);
}

TEST_CASE("one that is stopped looks no more") {
  Scene scene;
  scene.bytes = 95 * kMiB;
  scene.recycling.start(task());
  scene.run_looks(1);
  scene.recycling.stop();
  const int looks = scene.looks;
  scene.run(300ms);
  CHECK(scene.looks == looks);
}

// Each look makes news, as a cgroup full of page cache does at any time.
TEST_CASE("news without end bring two looks and no more before the next one by time") {
  const test::TemporaryDirectory directory;
  const std::string events = directory.path("memory.events");
  test::write_text(events, "high 0\n");
  Scene scene;
  scene.on_look = [&] { test::write_text(events, "high 1\n"); };
  scene.recycling.start(
      task({.version = process::CgroupVersion::V2, .directory = directory.path()}));
  test::write_text(events, "high 2\n");
  scene.run_looks(2);
  scene.run(700ms);
  CHECK(scene.looks == 2);
}

}  // namespace perch
