// SPDX-License-Identifier: Apache-2.0
// Allowance: so much may be taken at once, by all threads together. What was taken comes back when
// its Share is destroyed; the Allowance outlives them all.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

namespace perch::peer {

class Allowance {
  struct GiveBack {
    std::size_t size = 0;
    void operator()(Allowance* from) const noexcept { from->taken_ -= size; }
  };

 public:
  using Share = std::unique_ptr<Allowance, GiveBack>;

  explicit Allowance(std::size_t most) : most_(most) {}

  // Null where there is no room for so much more.
  Share take(std::size_t size) {
    std::size_t taken = taken_;
    do {
      if (size > most_ - taken) return {};
    } while (!taken_.compare_exchange_weak(taken, taken + size));
    return Share(this, {size});
  }
  // Where nobody has a share nobody gets one any more; else false, and nothing has changed.
  bool close() {
    std::size_t none = 0;
    return taken_.compare_exchange_strong(none, most_);
  }

 private:
  const std::size_t most_;
  std::atomic<std::size_t> taken_ = 0;
};

}  // namespace perch::peer
