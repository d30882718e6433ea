// SPDX-License-Identifier: Apache-2.0
#include "supervisor/listener/sight.h"

#include <doctest/doctest.h>

#include <array>

#include "supervisor/listener/heal_pace.h"

namespace perch::listener {
namespace {

struct Row {
  AtPath at_path;
  Remedy usable;     // our inode listens and has some name left
  Remedy nameless;   // its names are gone
  Remedy shut_down;  // by a worker
};

constexpr std::array kTable{
    Row{AtPath::Ours, Remedy::None, Remedy::ClaimAnew, Remedy::ClaimAnew},
    Row{AtPath::Nothing, Remedy::LinkBack, Remedy::ClaimAnew, Remedy::ClaimAnew},
    Row{AtPath::DeadSocket, Remedy::ExchangeBack, Remedy::ClaimAnew, Remedy::ClaimAnew},
    Row{AtPath::LiveSocket, Remedy::Yield, Remedy::Yield, Remedy::Yield},
    Row{AtPath::OtherFile, Remedy::Displace, Remedy::Displace, Remedy::Displace},
};

using namespace std::chrono_literals;
constexpr HealPace::Clock::time_point kBegin{1h};

// Heals as fast as it may, `count` times; when it was done.
HealPace::Clock::time_point heal(HealPace& pace, HealPace::Clock::time_point now, int count) {
  for (int i = 0; i < count; ++i) {
    while (const auto pause = pace.pause(now)) now += *pause;
    pace.note_heal(now);
  }
  return now;
}

}  // namespace

TEST_CASE("whatever stands at the path has one remedy") {
  for (const Row& row : kTable) {
    CAPTURE(static_cast<int>(row.at_path));
    CHECK(remedy_for({.at_path = row.at_path}) == row.usable);
    CHECK(remedy_for({.at_path = row.at_path, .has_name = false}) == row.nameless);
    CHECK(remedy_for({.at_path = row.at_path, .listens = false}) == row.shut_down);
    CHECK(remedy_for({.at_path = row.at_path, .same_directory = false}) == Remedy::ClaimAnew);
  }
}

TEST_CASE("mode and spare link are put right while the path is ours, and only then") {
  CHECK(remedy_for({.has_spare = false}) == Remedy::RestoreSpare);
  CHECK(remedy_for({.has_mode = false}) == Remedy::RestoreMode);
  CHECK(remedy_for({.has_spare = false, .has_mode = false}) == Remedy::RestoreMode);
  CHECK(remedy_for({.at_path = AtPath::Nothing, .has_spare = false, .has_mode = false}) ==
        Remedy::LinkBack);
}

TEST_CASE("an abstract name cannot be healed, and is lost once it is shut down") {
  CHECK(remedy_for({.at_path = AtPath::Nothing, .abstract = true}) == Remedy::None);
  CHECK(remedy_for({.abstract = true, .listens = false}) == Remedy::Yield);
}

TEST_CASE("ten heals within a second are followed by pauses that grow up to half a minute") {
  HealPace pace;
  auto now = heal(pace, kBegin, 10);
  CHECK(now == kBegin);
  for (const auto expected : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    CHECK(pace.pause(now) == expected);
    CHECK(pace.pause(now + 100ms) == expected - 100ms);
    now = heal(pace, now + expected, 10);
  }
}

TEST_CASE("heals that come slowly never make a pause, and a minute of calm forgets the past") {
  HealPace slow;
  for (int i = 0; i < 100; ++i) {
    CHECK_FALSE(slow.pause(kBegin + i * 101ms));
    slow.note_heal(kBegin + i * 101ms);
  }
  HealPace pace;
  auto now = heal(pace, kBegin, 21);
  now = heal(pace, now + 2min, 10);
  CHECK(pace.pause(now) == 1s);
}

}  // namespace perch::listener
