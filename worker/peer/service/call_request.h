// SPDX-License-Identifier: Apache-2.0
// CallRequest: a DownloadTask request in our own terms, after every field of it was looked at. What
// cannot be honoured is refused by name; nothing is silently left out.
#pragma once

#include <dfdaemon.pb.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <expected>
#include <optional>
#include <string>

#include "worker/peer/download/download.h"
#include "worker/peer/service/output_file.h"
#include "worker/peer/store/piece_layout.h"

namespace perch::peer {

struct CallRequest {
  DownloadSpec download;
  std::optional<ByteRange> range;  // else the whole file; its end may lie behind the file's
  std::string output_path;         // empty: none
  Overwrite overwrite = Overwrite::No;
  bool hard_link = false;
  bool piece_content = false;
  std::optional<std::chrono::nanoseconds> timeout;
};

// INVALID_ARGUMENT for what makes no sense, UNIMPLEMENTED for what this peer does not do.
std::expected<CallRequest, grpc::Status> read_request(
    const dfdaemon::v2::DownloadTaskRequest& request);

grpc::Status status_of(const Failure& failure);
// Of a file the caller asked for.
grpc::Status output_status(const Error& error);

}  // namespace perch::peer
