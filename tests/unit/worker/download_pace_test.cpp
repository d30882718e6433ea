// SPDX-License-Identifier: Apache-2.0
// How often and how fast an origin is asked: the pure parts, with a clock of their own.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "worker/peer/download/backoff.h"
#include "worker/peer/download/connection_slots.h"
#include "worker/peer/download/token_bucket.h"

namespace perch::peer {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr TokenBucket::Time kStart{std::chrono::hours(1)};

class Asker final : public ConnectionSlots::Task {
 public:
  explicit Asker(ConnectionSlots& slots) : slots_(slots) {}
  ~Asker() override { slots_.withdraw(*this); }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;
  void on_slot(ConnectionSlots::Slot slot) override {
    held_.push_back(std::make_unique<ConnectionSlots::Slot>(std::move(slot)));
  }
  void on_crowded() override {
    ++crowded_;
    give_back();
  }
  void ask(int times = 1) {
    while (times-- > 0) slots_.ask(*this);
  }
  void give_back() {
    const auto last = std::move(held_.back());  // when it goes, on_slot() may come
    held_.pop_back();
  }
  [[nodiscard]] std::size_t held() const { return held_.size(); }
  [[nodiscard]] int crowded() const { return crowded_; }

 private:
  ConnectionSlots& slots_;
  int crowded_ = 0;
  std::vector<std::unique_ptr<ConnectionSlots::Slot>> held_;
};

}  // namespace

TEST_CASE("in any time no more passes than the rate, its burst and one block") {
  constexpr std::uint64_t kRate = 1'000'000;
  constexpr std::uint64_t kBlock = 16'384;
  TokenBucket bucket(kRate);
  std::uint64_t passed = 0;
  auto now = kStart;
  for (int turn = 0; turn < 3000; ++turn, now += milliseconds(1 + turn % 7)) {
    while (bucket.wait(now) == nanoseconds::zero()) {
      bucket.spend(kBlock, now);
      passed += kBlock;
    }
    const double time = std::chrono::duration<double>(now - kStart + TokenBucket::kBurst).count();
    REQUIRE(static_cast<double>(passed) <= kRate * time + kBlock);
    REQUIRE(static_cast<double>(passed) >= kRate * (time - 0.06));  // and not much less
  }
}

TEST_CASE("a time without traffic earns no more than one burst") {
  TokenBucket bucket(1'000'000);
  bucket.spend(1, kStart);
  const auto later = kStart + std::chrono::hours(1);
  bucket.spend(50'000, later);
  CHECK(bucket.wait(later) == nanoseconds::zero());
  bucket.spend(1'000'000, later);
  CHECK(bucket.wait(later) == seconds(1));
  CHECK(bucket.wait(later + seconds(1)) == nanoseconds::zero());
}

TEST_CASE("without a rate everything passes") {
  TokenBucket bucket(0);
  bucket.spend(std::uint64_t{1} << 60U, kStart);
  CHECK(bucket.wait(kStart) == nanoseconds::zero());
}

TEST_CASE("each failure in a row doubles the delay, half of it by chance, up to a limit") {
  for (const std::uint32_t seed : {1U, 2U, 3U}) {
    Backoff backoff(seed);
    milliseconds longest = Backoff::kFirstDelay;
    for (int failure = 0; failure < Backoff::kMaxFailuresInRow; ++failure) {
      const auto delay = backoff.next(seconds::zero());
      REQUIRE(delay.has_value());
      CHECK(*delay >= longest / 2);
      CHECK(*delay <= longest);
      longest = std::min(longest * 2, Backoff::kMaxDelay);
    }
    CHECK_FALSE(backoff.next(seconds::zero()).has_value());
    backoff.reset();
    CHECK(backoff.next(seconds::zero()) <= Backoff::kFirstDelay);
  }
}

TEST_CASE("an origin that says when to come again is heeded, within reason") {
  Backoff backoff(1);
  CHECK(backoff.next(seconds(7)) == seconds(7));
  CHECK(backoff.next(Backoff::kMaxRetryAfter) == Backoff::kMaxRetryAfter);
  CHECK_FALSE(backoff.next(Backoff::kMaxRetryAfter + seconds(1)).has_value());
}

TEST_CASE("no more connections are given than there are, and what comes back is given again") {
  ConnectionSlots slots(3);
  Asker one(slots);
  Asker other(slots);
  one.ask(3);
  CHECK(one.held() == 3);
  one.ask();
  CHECK(one.held() == 3);
  one.give_back();
  CHECK(one.held() == 3);
  slots.withdraw(one);
  one.give_back();
  CHECK(one.held() == 2);
  other.ask();
  CHECK(other.held() == 1);
}

TEST_CASE(
    "a free connection goes to the task with the fewest, then to the one that waited longest") {
  ConnectionSlots slots(5);
  Asker many(slots);
  Asker few(slots);
  many.ask(4);
  few.ask();
  many.ask();
  few.ask();
  many.give_back();
  CHECK(many.held() == 3);
  CHECK(few.held() == 2);
  few.ask();
  few.give_back();
  CHECK(few.held() == 2);
}

TEST_CASE("a task without any connection gets one of the task that has the most") {
  ConnectionSlots slots(3);
  Asker many(slots);
  Asker none(slots);
  many.ask(4);
  none.ask();
  CHECK(many.held() == 2);
  CHECK(many.crowded() == 1);
  CHECK(none.held() == 1);
  // It has one: for more it waits like anybody.
  none.ask();
  CHECK(none.held() == 1);
}

TEST_CASE("nobody gives up an only connection") {
  ConnectionSlots slots(1);
  Asker one(slots);
  Asker none(slots);
  one.ask();
  none.ask();
  CHECK(one.crowded() == 0);
  CHECK(none.held() == 0);
  one.give_back();
  CHECK(none.held() == 1);
}

}  // namespace perch::peer
