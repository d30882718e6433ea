// SPDX-License-Identifier: Apache-2.0
// Messages as gRPC has them, bytes, to and from protobuf. The service reads bytes itself so that a
// request which is none gets an answer that says so, and content goes out without being copied.
#pragma once

#include <dfdaemon.pb.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <vector>

#include "worker/peer/store/task_files.h"

namespace perch::peer {

// False when the bytes are no such message; `message` is then in no state to be used.
[[nodiscard]] bool decode(const grpc::ByteBuffer& bytes, google::protobuf::Message& message);

grpc::ByteBuffer encode(const google::protobuf::Message& message);
// A piece-finished message with `content` in its piece, which is neither copied nor looked at.
grpc::ByteBuffer encode(dfdaemon::v2::DownloadTaskResponse message,
                        const std::vector<grpc::Slice>& content);

// A piece's place in the file; its checksum, too, once it is there.
void describe(const TaskFiles& files, std::uint32_t number, common::v2::Piece& piece);

}  // namespace perch::peer
