// SPDX-License-Identifier: Apache-2.0
// Pieces: which pieces of the wanted bytes have come, over all the calls that brought them, as long
// as they are of one version of the file. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "worker/peer/store/manifest.h"
#include "worker/peer/store/piece_layout.h"

namespace perch::peer {

// What tells this version of a file from others, by the fields of its answer: all of these that
// there are, as one alone may stay the same (a date has whole seconds). Empty where nothing does.
std::string offered_version(const Headers& headers);

// What a call is about to bring.
struct Offer {
  std::string version;  // empty: the origin gives none, and calls cannot be joined
  std::uint64_t length = 0;
  std::map<std::uint32_t, ByteRange> pieces{};  // by number: where each is in the file
};

// What an offer is to the pieces that have come.
enum class Fit {
  GoesOn,   // of the same version
  Begins,   // of another: they are forgotten
  Useless,  // of another, and only a part of what is wanted now: all is forgotten, ask again
};

class Pieces {
 public:
  // Nothing: the whole file. An end beyond the file is the file's.
  explicit Pieces(std::optional<ByteRange> wanted) : wanted_(wanted) {}

  Fit expect(Offer offer);
  void forget();

  // Where a piece is in the file; nothing for one that was not offered.
  [[nodiscard]] std::optional<ByteRange> place_of(std::uint32_t number) const;
  // What of these bytes of the file is wanted.
  [[nodiscard]] ByteRange wanted_of(ByteRange bytes) const;
  void add(std::uint32_t number);

  // All that is wanted: where it begins in the file, and how much it is.
  [[nodiscard]] ByteRange wanted() const;
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  // The part of the file with all that has not come; nothing when it is not known, or is all.
  [[nodiscard]] std::optional<ByteRange> missing() const;
  [[nodiscard]] bool complete() const { return offered_ && received_ == wanted().size(); }

 private:
  [[nodiscard]] bool covers_all_wanted() const;

  std::optional<ByteRange> wanted_;
  Offer offer_;
  bool offered_ = false;
  std::map<std::uint32_t, std::uint64_t> came_;  // by number: how much of it was wanted
  std::uint64_t received_ = 0;
};

}  // namespace perch::peer
