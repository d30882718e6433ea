// SPDX-License-Identifier: Apache-2.0
// What people see: one worker in full, events as lines, and frames that fit a window.
#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>

#include "common/value/human.h"
#include "supervisor/cli/local_time.h"
#include "supervisor/cli/news.h"
#include "supervisor/cli/terminal.h"
#include "supervisor/cli/worker_page.h"
#include "supervisor/control/event.h"
#include "tests/unit/control/busy_status.h"

namespace perch::cli {
namespace {

using Lines = std::vector<std::string>;

// Two hours east of Greenwich for as long as it lives.
class EastOfGreenwich {
 public:
  EastOfGreenwich() { set("XXX-2"); }
  ~EastOfGreenwich() { set("UTC0"); }
  EastOfGreenwich(const EastOfGreenwich&) = delete;
  EastOfGreenwich& operator=(const EastOfGreenwich&) = delete;

 private:
  static void set(const char* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
};

}  // namespace

TEST_CASE("a worker in full names every cause, its evidence, last words and listeners") {
  const auto page = worker_page(control::to_json(test::busy_status()), "app", Colour::Off);
  REQUIRE(page);
  CAPTURE(*page);
  CHECK(test::widest(*page) <= 80);
  for (const auto cause : lifecycle::kAllCauses) {
    CHECK(page->contains(std::string(lifecycle::name(cause)) + " "));
  }
  for (const char* part :
       {"app: backoff since", "generation 8, next start in 1.2s", "says          warming",
        "failures in a row 4", "answered      bind 8, unlink 7\n", "oom-kill 7",
        "last 1.6ms, p50 1.6ms, p99 -, max 2.5s", "api: listening, 17 of 4096 waiting, 2 heals",
        "    /run/app/", "generation 8: oom-kill after", "memory.events oom_kill grew from 6 to 7",
        "memory peak 12.0 MiB", "| allocating", "| still allocating"}) {
    CAPTURE(std::string(part));
    CHECK(page->contains(part));
  }
  CHECK_FALSE(page->contains("\x1b"));
}

TEST_CASE("a worker's memory is shown where perch tells it") {
  const auto page = worker_page(R"({"workers": {"app": {"memory": {"usage_bytes": 1048576,
                                    "limit_bytes": null, "peak_bytes": 2097152}}}})",
                                "app", Colour::Off);
  REQUIRE(page);
  CHECK(page->contains("memory        1.0 MiB in use, peak 2.0 MiB, limit -, of perch's cgroup\n"));
}

TEST_CASE("when a worker is to be recycled stands beside what it needs now") {
  const auto page = worker_page(R"({"workers": {"app": {"memory": {"recycle_at_bytes": 1048576,
                                    "nonreclaimable_bytes": 524288}}}})",
                                "app", Colour::Off);
  REQUIRE(page);
  CHECK(page->contains("recycling     at 1.0 MiB that cannot be reclaimed, 512.0 KiB now\n"));
}

TEST_CASE("a worker that is not there is missed with who was meant") {
  const auto page = worker_page(control::to_json(test::busy_status()), "ap", Colour::Off);
  REQUIRE_FALSE(page);
  CHECK(page.error().text() == "there is no worker \"ap\"; did you mean \"app\"?");
  CHECK_FALSE(worker_page("[]", "app", Colour::Off));
  CHECK(worker_page(R"({"workers": {"app": 7}})", "app", Colour::Off));
}

TEST_CASE("an event is one line in local time") {
  const EastOfGreenwich zone;
  const auto news = parse_news(
      R"({"id":17,"at":"2026-01-31T22:30:00.125Z","type":"worker-state","worker":"app",)"
      R"("generation":3,"from":"ready","to":"starting","why":"died","message":"worker app: x"})");
  REQUIRE(news);
  CHECK(news->id == 17);
  CHECK(news->generation == 3);
  CHECK(news->to == "starting");
  CHECK(news_line(*news, Colour::Off) == "2026-02-01 00:30:00.125 worker-state     worker app: x");
  CHECK(news_line(*news, Colour::On) ==
        "2026-02-01 00:30:00.125 \x1b[36mworker-state    \x1b[0m worker app: x");
}

TEST_CASE("an event of this perch reads back with its death") {
  control::Event event{.id = 5,
                       .type = control::Event::Type::WorkerDeath,
                       .worker = "app",
                       .generation = 2,
                       .message = "it \x1b[31mdied\nhere"};
  event.death = test::busy_status().workers["app"].last_deaths.front();
  const auto news = parse_news(control::to_json(event));
  REQUIRE(news);
  CHECK(news->cause == "oom-kill");
  CHECK(news->detail == "memory.events oom_kill grew from 6 to 7");
  CHECK(news->message == "it \\x1b[31mdied\\nhere");
}

TEST_CASE("what is no event is none, and what is missing is empty") {
  CHECK_FALSE(parse_news("no event"));
  CHECK_FALSE(parse_news("[]"));
  const auto bare = parse_news(R"({"id":"x","type":7,"death":"y"})");
  REQUIRE(bare);
  CHECK(bare->id == 0);
  CHECK(bare->type.empty());
}

TEST_CASE("a time that is none is shown as it is") {
  CHECK(local_time("yesterday") == "yesterday");
  CHECK(local_time("2026-01-31T22:30:00") == "2026-01-31T22:30:00");
  CHECK(local_time("-") == "-");
}

TEST_CASE("bytes read at a glance") {
  CHECK(human_bytes(0) == "0 B");
  CHECK(human_bytes(1023) == "1023 B");
  CHECK(human_bytes(1536) == "1.5 KiB");
  CHECK(human_bytes(12U << 20U) == "12.0 MiB");
  CHECK(human_bytes(1ULL << 50U) == "1024.0 TiB");
}

TEST_CASE("a frame is cut to its window, and says how much of it is not shown") {
  CHECK(fit("one\ntwo\n", {.rows = 2, .columns = 80}) == Lines{"one", "two"});
  CHECK(fit("one\ntwo\nthree\nfour\n", {.rows = 3, .columns = 80}) ==
        Lines{"one", "two", "... 2 more lines"});
  CHECK(fit("abcdef\n", {.rows = 2, .columns = 3}) == Lines{"abc"});
  CHECK(fit("äöüß\n", {.rows = 2, .columns = 3}) == Lines{"äöü"});
  CHECK(fit("", {.rows = 2, .columns = 3}).empty());
}

TEST_CASE("a cut line keeps its colours, which have no width") {
  CHECK(fit("\x1b[32mready\x1b[0m and more", {.rows = 1, .columns = 6}) ==
        Lines{"\x1b[32mready\x1b[0m "});
  CHECK(fit("\x1b[32mready\x1b[0m", {.rows = 1, .columns = 2}) == Lines{"\x1b[32mre\x1b[0m"});
}

}  // namespace perch::cli
