// SPDX-License-Identifier: Apache-2.0
// DownloadService: dfdaemon.v2.DfdaemonDownload for the connections of one caller. A gRPC call does
// not tell which connection it came by, so who calls is a property of the service object, not of
// the call: there is one for each caller (ServerPool).
#pragma once

#include <dfdaemon.grpc.pb.h>

#include "worker/peer/service/calls.h"

namespace perch::peer {

class DownloadService final : public dfdaemon::v2::DfdaemonDownload::CallbackService {
 public:
  DownloadService(Mailbox& mailbox, Calls& calls, Caller caller)
      : mailbox_(mailbox), calls_(calls), caller_(std::move(caller)) {}

  // On a gRPC thread.
  grpc::ServerWriteReactor<dfdaemon::v2::DownloadTaskResponse>* DownloadTask(
      grpc::CallbackServerContext* context,
      const dfdaemon::v2::DownloadTaskRequest* request) override;

 private:
  Mailbox& mailbox_;
  Calls& calls_;
  const Caller caller_;
};

}  // namespace perch::peer
