// SPDX-License-Identifier: Apache-2.0
// Manifest: what a task's data is, as the origin described it when the task began. It is written
// once, atomically (temporary file, fsync, rename, fsync of the directory), and says which
// generation of piece records counts: starting over is writing a manifest with the next one.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "common/value/error.h"
#include "worker/peer/store/piece_layout.h"

namespace perch::peer {

// Header fields of a response by lower-case name.
using Headers = std::map<std::string, std::string>;

struct Manifest {
  std::string url;
  PieceLayout layout;
  Headers headers;  // those of the origin's answer that describe the data
  std::uint32_t generation = 1;
};

// What tells one version of the origin's data from another: its strong ETag, else Last-Modified;
// empty when the origin gives neither, and then nothing can be resumed later.
std::string validator_of(const Headers& headers);

// An error without a code for text that is not a manifest of ours.
Result<Manifest> parse_manifest(const std::string& text);
std::string manifest_text(const Manifest& manifest);

Result<void> save_manifest(const std::string& directory, const Manifest& manifest);
// ENOENT in the error when there is none.
Result<Manifest> load_manifest(const std::string& directory);

}  // namespace perch::peer
