// SPDX-License-Identifier: Apache-2.0
// ResponseStream: gRPC's side of one DownloadTask call. The loop writes and finishes; what gRPC's
// threads report goes to the loop as letters. It deletes itself when gRPC is done with it, which is
// never before finish(): after finish() the loop does not touch it any more.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <functional>

#include "worker/peer/service/allowance.h"
#include "worker/peer/service/mailbox.h"

namespace perch::peer {

// A call's share of what may be open, until gRPC is done with it: of its server's, and of all's.
struct OpenCall {
  Allowance::Share here;
  Allowance::Share of_all;
};

class ResponseStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  // On the loop. Reports of a stream that has finished may still come, and are to be ignored.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_written(ResponseStream& stream, bool ok) = 0;
    virtual void on_cancelled(ResponseStream& stream) = 0;
  };

  // On the loop, once the client has the head of the answer: from then on writes may be made.
  using OnOpen = std::function<void(ResponseStream& stream)>;
  ResponseStream(Mailbox& mailbox, Owner& owner, grpc::CallbackServerContext& context,
                 OpenCall open_call, OnOpen on_open);

  // One at a time: the next after on_written. gRPC has its own hold of the message afterwards, so
  // that each part of it is let go as soon as it is sent.
  void write(const grpc::ByteBuffer& message);
  void finish(const grpc::Status& status) { Finish(status); }
  // Without waiting for what the client has not taken.
  void abandon();

  void OnSendInitialMetadataDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override { delete this; }

 private:
  void open(bool ok);

  Mailbox& mailbox_;
  Owner& owner_;
  grpc::CallbackServerContext& context_;
  OnOpen on_open_;
  OpenCall open_call_;
};

}  // namespace perch::peer
