// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/messages.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include "common/value/error.h"

namespace perch::peer {
namespace {

using dfdaemon::v2::DownloadPieceFinishedResponse;
using dfdaemon::v2::DownloadTaskResponse;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

// The head of a field of bytes: its tag and the length of what follows.
std::string field_head(int number, std::size_t length) {
  std::string head;
  google::protobuf::io::StringOutputStream text(&head);
  CodedOutputStream out(&text);
  out.WriteTag(WireFormatLite::MakeTag(number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
  out.WriteVarint64(length);
  out.Trim();
  return head;
}

}  // namespace

bool decode(const grpc::ByteBuffer& bytes, google::protobuf::Message& message) {
  grpc::ByteBuffer shared(bytes);  // reading empties it
  return grpc::GenericDeserialize<grpc::ProtoBufferReader, google::protobuf::Message>(&shared,
                                                                                      &message)
      .ok();
}

grpc::ByteBuffer encode(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

grpc::ByteBuffer encode(DownloadTaskResponse message, const std::vector<grpc::Slice>& content) {
  std::size_t size = 0;
  for (const auto& slice : content) size += slice.size();
  // From the inside out: content, the piece around it, the response around the piece.
  std::string head = message.download_piece_finished_response().piece().SerializeAsString() +
                     field_head(common::v2::Piece::kContentFieldNumber, size);
  head.insert(0, field_head(DownloadPieceFinishedResponse::kPieceFieldNumber, head.size() + size));
  head.insert(0, field_head(DownloadTaskResponse::kDownloadPieceFinishedResponseFieldNumber,
                            head.size() + size));
  message.clear_download_piece_finished_response();
  std::vector<grpc::Slice> slices{grpc::Slice(message.SerializeAsString() + head)};
  slices.insert(slices.end(), content.begin(), content.end());
  return {slices.data(), slices.size()};
}

void describe(const TaskFiles& files, std::uint32_t number, common::v2::Piece& piece) {
  const ByteRange range = files.layout().piece(number);
  piece.set_number(number);
  piece.set_offset(range.begin);
  piece.set_length(range.size());
  if (files.done(number)) piece.set_digest(fmt::format("crc32c:{:08x}", files.crc_of(number)));
}

}  // namespace perch::peer
