// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/response_stream.h"

#include <utility>

namespace perch::peer {

void ResponseStream::write(dfdaemon::v2::DownloadTaskResponse message) {
  message_ = std::move(message);
  StartWrite(&message_);
}

// When a letter is read the stream may be gone: its address is then a name and no more.
void ResponseStream::OnWriteDone(bool ok) {
  mailbox_.post([this, &owner = owner_, ok] { owner.on_written(*this, ok); });
}

void ResponseStream::OnCancel() {
  mailbox_.post([this, &owner = owner_] { owner.on_cancelled(*this); });
}

}  // namespace perch::peer
