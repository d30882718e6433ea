// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/pieces.h"

#include <algorithm>
#include <utility>

namespace perch::peer {

std::string offered_version(const Headers& headers) {
  if (validator_of(headers).empty()) return "";
  std::string version;
  for (const char* const name : {"etag", "last-modified", "content-encoding"}) {
    const auto field = headers.find(name);
    version += field == headers.end() ? "\n" : field->second + "\n";
  }
  return version;
}

Fit Pieces::expect(Offer offer) {
  const bool same = offered_ && !offer.version.empty() && offer.version == offer_.version &&
                    offer.length == offer_.length &&
                    std::ranges::all_of(offer.pieces, [this](const auto& piece) {
                      return place_of(piece.first) == piece.second;
                    });
  if (same) return Fit::GoesOn;
  forget();
  offer_ = std::move(offer);
  offered_ = true;
  if (covers_all_wanted()) return Fit::Begins;
  forget();
  return Fit::Useless;
}

void Pieces::forget() {
  offer_ = {};
  offered_ = false;
  came_.clear();
  received_ = 0;
}

bool Pieces::covers_all_wanted() const {
  std::uint64_t offered = 0;
  for (const auto& [number, place] : offer_.pieces) offered += wanted_of(place).size();
  return offered == wanted().size();
}

std::optional<ByteRange> Pieces::missing() const {
  if (!offered_ || offer_.version.empty() || came_.empty()) return std::nullopt;
  std::optional<ByteRange> missing;
  for (const auto& [number, place] : offer_.pieces) {
    if (came_.contains(number)) continue;
    const ByteRange part = wanted_of(place);
    if (!missing) missing = part;
    missing->end = part.end;
  }
  return missing;
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
