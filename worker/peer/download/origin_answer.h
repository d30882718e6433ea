// SPDX-License-Identifier: Apache-2.0
// What an origin says of a file, and whether a later answer still speaks of the same one. Pure: the
// network is in Transfer.
// A file is what the origin sends. An origin that encodes it (Content-Encoding) although identity
// was asked for has its bytes kept as they are: its ranges, length and ETag are those of the
// encoded bytes, and callers get the field.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "worker/peer/download/failure.h"
#include "worker/peer/store/manifest.h"
#include "worker/peer/store/piece_layout.h"

namespace perch::peer {

// The last answer's status and header fields, redirects and 1xx left behind.
struct OriginAnswer {
  long status = 0;
  Headers headers;
  std::chrono::seconds retry_after{0};

  // Takes one header line as curl gives it; a status line begins a new answer.
  void take_line(std::string_view line);
};

// "bytes 0-99/1000"; nothing for any other form, a length of '*' included.
struct ContentRange {
  ByteRange range;
  std::uint64_t total = 0;
};
std::optional<ContentRange> parse_content_range(std::string_view text);

// The file as an answer describes it.
struct OriginFacts {
  std::optional<std::uint64_t> length;  // without one the end of the answer is the file's
  bool ranges = false;
  Headers headers;  // those worth keeping: they describe the data, not the answer
};

// By the answer to a request for the first byte, or for the whole file.
std::expected<OriginFacts, Failure> facts_of(const OriginAnswer& answer);

// How If-Range names the version that these fields describe; empty where they name none.
std::string version_of(const Headers& headers);

// Whether what is stored of a file may be gone on with. Never without a validator: then nothing
// tells one version from another.
bool same_file(const Manifest& stored, const OriginFacts& now);

// Why this answer does not bring the wanted bytes of the file that the manifest describes, all of
// it where no range was asked for; nothing when it does. It may bring fewer than were asked for.
std::optional<Failure> misfit_of(const OriginAnswer& answer, const Manifest& manifest,
                                 std::optional<ByteRange> range);

// Why an answer with this status brings no data.
Failure refusal_of(const OriginAnswer& answer);

}  // namespace perch::peer
