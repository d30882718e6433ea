// SPDX-License-Identifier: Apache-2.0
// Mapped content: a range of a stored file as slices for gRPC, without a copy in memory. Each slice
// lets go of its pages when gRPC has sent it, so a client that does not read costs the same as
// none, whatever the size of a piece. The mapping keeps the file's data, also when the task is
// deleted. A file that became shorter meanwhile breaks the connection (sendmsg: EFAULT), not the
// peer.
#pragma once

#include <grpcpp/support/slice.h>

#include <vector>

#include "common/value/error.h"
#include "worker/peer/store/piece_layout.h"

namespace perch::peer {

// `data_fd` may be closed after this. The range lies inside the file.
Result<std::vector<grpc::Slice>> mapped_content(int data_fd, ByteRange range);

}  // namespace perch::peer
