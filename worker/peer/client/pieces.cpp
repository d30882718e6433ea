// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/pieces.h"

#include <algorithm>
#include <utility>

namespace perch::peer {

bool Pieces::expect(Offer offer) {
  const bool same = !offer.version.empty() && offer.version == offer_.version &&
                    offer.length == offer_.length && offer.pieces == offer_.pieces;
  offer_ = std::move(offer);
  offered_ = true;
  if (same) return true;
  came_.clear();
  received_ = 0;
  return false;
}

std::optional<ByteRange> Pieces::place_of(std::uint32_t number) const {
  const auto piece = offer_.pieces.find(number);
  return piece == offer_.pieces.end() ? std::nullopt : std::optional(piece->second);
}

ByteRange Pieces::wanted() const {
  const ByteRange all = wanted_.value_or(ByteRange{0, offer_.length});
  const std::uint64_t end = std::min(all.end, offer_.length);
  return {std::min(all.begin, end), end};
}

ByteRange Pieces::wanted_of(ByteRange bytes) const {
  const ByteRange all = wanted();
  const std::uint64_t begin = std::clamp(bytes.begin, all.begin, all.end);
  return {begin, std::clamp(bytes.end, begin, all.end)};
}

void Pieces::add(std::uint32_t number) {
  const auto place = place_of(number);
  if (!place) return;
  const std::uint64_t size = wanted_of(*place).size();
  if (came_.emplace(number, size).second) received_ += size;
}

}  // namespace perch::peer
