// SPDX-License-Identifier: Apache-2.0
// Manifest: what a task's data is, as the origin described it when the task began. It is replaced
// atomically or not at all, and says which generation of piece records counts and in which boot of
// the machine they may be believed: starting over is writing a manifest with the next generation.
// Its text is JSON and a last line with the checksum of all before it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/value/error.h"
#include "worker/peer/store/directory.h"
#include "worker/peer/store/piece_layout.h"

namespace perch::peer {

// Header fields of a response by lower-case name.
using Headers = std::map<std::string, std::string>;

struct Manifest {
  std::string url;  // of a stored task as it may be shown
  PieceLayout layout;
  Headers headers;  // those of the origin's answer that describe the data
  std::uint32_t generation = 1;
  // The rest is filled in by the store.
  std::string id = {};  // the task's, a hash of its URL and of what else makes it this task
  std::string boot_id = {};
  std::chrono::sys_seconds created = {};
  std::chrono::sys_seconds finished = {};                          // the epoch: not yet
  std::chrono::sys_time<std::chrono::nanoseconds> data_time = {};  // of `data` when it finished
  std::string digest = {};  // that the whole file was found to have; "" when none was asked for

  bool operator==(const Manifest&) const = default;
};

// What tells one version of the origin's data from another: its strong ETag, else Last-Modified;
// empty when the origin gives neither, and then nothing can be resumed later.
std::string validator_of(const Headers& headers);

// An error without a code, and with the reason, for text that is not a manifest of ours.
Result<Manifest> parse_manifest(std::string_view text);
std::string manifest_text(const Manifest& manifest);
// `body` with the line that vouches for it; public for those who make faulty manifests.
std::string sealed(std::string body);

// ENOENT in the error when there is none; no code when what is there is not this task's.
Result<Manifest> load_manifest(const Directory& task, const std::string& id);
// Refuses what load_manifest() would.
Result<void> save_manifest(const Directory& task, const Manifest& manifest);

}  // namespace perch::peer
