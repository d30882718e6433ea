// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/digest_check.h"

#include <algorithm>
#include <vector>

namespace perch::peer {
namespace {

constexpr std::uint64_t kBlock = 1U << 20U;
constexpr std::uint64_t kStep = 4U << 20U;  // a few milliseconds

}  // namespace

Result<void> DigestCheck::step(const TaskFiles& files) {
  const std::uint64_t end = std::min(at_ + kStep, files.layout().length);
  std::vector<std::byte> block(std::min(kBlock, end - at_));
  while (at_ < end) {
    const auto part = std::span(block).first(std::min<std::uint64_t>(block.size(), end - at_));
    if (auto got = files.read(at_, part); !got) return got;
    hasher_.add(part);
    at_ += part.size();
  }
  return {};
}

}  // namespace perch::peer
