// SPDX-License-Identifier: Apache-2.0
// Whatever text is taken for a manifest can be worked with, and is written and read again as the
// same one.
#include <string>
#include <string_view>

#include "tests/fuzz/fuzz_target.h"
#include "worker/peer/store/manifest.h"

namespace {

using namespace perch::peer;

void check(std::string_view text) {
  const auto manifest = parse_manifest(text);
  if (!manifest) {
    PERCH_CHECK(!manifest.error().text().empty());
    return;
  }
  const PieceLayout& layout = manifest->layout;
  PERCH_CHECK(layout.possible() && layout.count() <= kMaxPieces);
  if (layout.length > 0) {
    const ByteRange last = layout.piece(layout.count() - 1);
    PERCH_CHECK(last.end == layout.length && last.size() > 0);
    PERCH_CHECK(last.size() <= layout.piece_length);
    PERCH_CHECK(layout.piece_at(layout.length - 1) == layout.count() - 1);
  }
  (void)validator_of(manifest->headers);

  const std::string written = manifest_text(*manifest);
  const auto again = parse_manifest(written);
  PERCH_CHECK(again && *again == *manifest);
  PERCH_CHECK(!parse_manifest(std::string_view(written).substr(0, written.size() - 1)));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  check(text);
  // The checksum would keep nearly all else from being read.
  check(sealed(text));
  return 0;
}
