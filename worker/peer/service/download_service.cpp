// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/download_service.h"

namespace perch::peer {

grpc::ServerWriteReactor<dfdaemon::v2::DownloadTaskResponse>* DownloadService::DownloadTask(
    grpc::CallbackServerContext* /*context*/, const dfdaemon::v2::DownloadTaskRequest* request) {
  auto* stream = new ResponseStream(mailbox_, calls_);  // its own owner from here on
  // The request lives until the stream is done, and that is after the loop has finished it.
  const bool posted =
      mailbox_.post([this, stream, request] { calls_.begin(*stream, caller_, *request); });
  if (!posted) stream->finish({grpc::StatusCode::UNAVAILABLE, "the peer is stopping"});
  return stream;
}

}  // namespace perch::peer
