// SPDX-License-Identifier: Apache-2.0
// What an origin says of a file, and whether a later answer still speaks of the same one. Pure: the
// network is in Transfer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "worker/peer/store/manifest.h"
#include "worker/peer/store/piece_layout.h"

namespace perch::peer {

// The last answer's status and header fields, redirects and 1xx left behind.
struct OriginAnswer {
  long status = 0;
  Headers headers;

  // Takes one header line as curl gives it; a status line begins a new answer.
  void take_line(std::string_view line);
};

// "bytes 0-99/1000"; nothing for any other form, a length of '*' included.
struct ContentRange {
  ByteRange range;
  std::uint64_t total = 0;
};
std::optional<ContentRange> parse_content_range(std::string_view text);

// The file as the answer to a request for its first byte describes it.
struct OriginFacts {
  std::uint64_t length = 0;
  bool ranges = false;
  Headers headers;  // those worth keeping: they describe the data, not the answer
};

enum class RefusalKind { NotFound, Denied, Unsupported, Unavailable };
struct Refusal {
  RefusalKind kind;
  std::string reason;
};

std::expected<OriginFacts, Refusal> facts_of(const OriginAnswer& answer);

// Does this answer bring the wanted bytes of the file that the manifest describes?
enum class Fit { Good, Changed, Refused };
Fit fit_of(const OriginAnswer& answer, const Manifest& manifest, std::optional<ByteRange> range);

// Why an answer with this status brings no data.
Refusal refusal_of(long status);

}  // namespace perch::peer
