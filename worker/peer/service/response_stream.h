// SPDX-License-Identifier: Apache-2.0
// ResponseStream: gRPC's side of one DownloadTask call. The loop writes and finishes; what gRPC's
// threads report goes to the loop as letters. It deletes itself when gRPC is done with it, which is
// never before finish(): after finish() the loop does not touch it any more.
#pragma once

#include <dfdaemon.pb.h>
#include <grpcpp/support/server_callback.h>

#include "worker/peer/service/mailbox.h"

namespace perch::peer {

class ResponseStream final : public grpc::ServerWriteReactor<dfdaemon::v2::DownloadTaskResponse> {
 public:
  // On the loop. Reports of a stream that has finished may still come, and are to be ignored.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_written(ResponseStream& stream, bool ok) = 0;
    virtual void on_cancelled(ResponseStream& stream) = 0;
  };

  ResponseStream(Mailbox& mailbox, Owner& owner) : mailbox_(mailbox), owner_(owner) {}

  // One at a time: the next after on_written.
  void write(dfdaemon::v2::DownloadTaskResponse message);
  void finish(const grpc::Status& status) { Finish(status); }

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { delete this; }

 private:
  Mailbox& mailbox_;
  Owner& owner_;
  dfdaemon::v2::DownloadTaskResponse message_;
};

}  // namespace perch::peer
