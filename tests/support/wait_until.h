// SPDX-License-Identifier: Apache-2.0
// wait_until: waits for a condition, never for a time. The limit is generous because machines that
// run tests are slow; a test that passes does not come near it.
#pragma once

#include <chrono>
#include <concepts>

namespace perch::test {

inline constexpr std::chrono::milliseconds kPatience{30'000};

// Gives the processor away for a moment.
void breathe();

// True as soon as `predicate` holds; false when it still does not after `limit`.
template <std::predicate Predicate>
[[nodiscard]] bool wait_until(Predicate&& predicate, std::chrono::milliseconds limit = kPatience) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    breathe();
  }
  return true;
}

}  // namespace perch::test
