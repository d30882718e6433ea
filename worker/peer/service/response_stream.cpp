// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/response_stream.h"

#include <utility>

namespace perch::peer {

ResponseStream::ResponseStream(Mailbox& mailbox, Owner& owner, grpc::CallbackServerContext& context,
                               OpenCall open_call, OnOpen on_open)
    : mailbox_(mailbox),
      owner_(owner),
      context_(context),
      on_open_(std::move(on_open)),
      open_call_(std::move(open_call)) {
  StartSendInitialMetadata();
}

void ResponseStream::OnSendInitialMetadataDone(bool ok) {
  if (!mailbox_.post([this, ok] { open(ok); })) {
    finish({grpc::StatusCode::UNAVAILABLE, "the peer is stopping"});
  }
}

// The letter of a cancellation may have been read before this one, when nobody knew the stream.
void ResponseStream::open(bool ok) {
  if (!ok || context_.IsCancelled()) return finish(grpc::Status::CANCELLED);
  on_open_(*this);
}

void ResponseStream::write(const grpc::ByteBuffer& message) {
  // gRPC would only keep the pointer before the stream is open; now it takes the slices at once.
  StartWrite(&message);
}

void ResponseStream::abandon() {
  // Before finish(): after it nothing here may be touched.
  context_.TryCancel();
  finish(grpc::Status::CANCELLED);
}

// When a letter is read the stream may be gone: its address is then a name and no more.
void ResponseStream::OnWriteDone(bool ok) {
  mailbox_.post([this, &owner = owner_, ok] { owner.on_written(*this, ok); });
}

void ResponseStream::OnCancel() {
  mailbox_.post([this, &owner = owner_] { owner.on_cancelled(*this); });
}

}  // namespace perch::peer
