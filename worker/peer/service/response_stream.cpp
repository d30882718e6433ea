// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/response_stream.h"

#include <utility>

namespace perch::peer {

void ResponseStream::write(dfdaemon::v2::DownloadTaskResponse message) {
  message_ = std::move(message);
  StartWrite(&message_);
}

void ResponseStream::OnWriteDone(bool ok) {
  mailbox_.post([this, ok] { owner_.on_written(*this, ok); });
}

void ResponseStream::OnCancel() {
  mailbox_.post([this] { owner_.on_cancelled(*this); });
}

}  // namespace perch::peer
