// SPDX-License-Identifier: Apache-2.0
// Wish: what `perch-peer get` was asked for, after every word of it was looked at. Pure, but for
// the working directory, against which a path for the peer is made absolute.
#pragma once

#include <common.pb.h>

#include <optional>
#include <string>

#include "common/value/error.h"
#include "worker/peer/client/get.h"
#include "worker/peer/store/digest.h"
#include "worker/peer/store/piece_layout.h"

namespace perch::peer {

struct Wish {
  common::v2::Download download;  // as it is asked of the peer
  std::optional<ByteRange> range;
  std::optional<Digest> digest;  // of what arrives here
  std::string output;            // "-": stdout
};

// Why it makes no sense, in words for the user.
Result<Wish> read_wish(const GetOptions& options);

// "0-499": the first 500 bytes, as curl counts.
Result<ByteRange> parse_range(const std::string& text);

}  // namespace perch::peer
