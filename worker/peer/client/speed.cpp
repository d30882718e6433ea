// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/speed.h"

#include <algorithm>

namespace perch::peer {
namespace {

constexpr std::chrono::seconds kWindow{8};
// Shorter than this, a quotient says more about the clock than about the line.
constexpr double kLeastSeconds = 0.05;

}  // namespace

void Speed::add(Time now, std::uint64_t total) {
  if (total < samples_.back().total) samples_.clear();
  samples_.push_back({now, total});
  // The last one that is older than the window stays: growth is counted from there.
  while (samples_.size() > 2 && samples_.at(1).at + kWindow <= now) samples_.pop_front();
}

double Speed::at(Time now) const {
  const double seconds = std::chrono::duration<double>(now - samples_.front().at).count();
  const auto grown = static_cast<double>(samples_.back().total - samples_.front().total);
  return grown / std::max(seconds, kLeastSeconds);
}

}  // namespace perch::peer
