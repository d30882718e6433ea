// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/download_call.h"

#include <fmt/format.h>

#include <utility>

namespace perch::peer {
namespace {

using dfdaemon::v2::DownloadTaskResponse;
using enum grpc::StatusCode;

void describe(const PieceLayout& layout, std::uint32_t number, common::v2::Piece& piece) {
  piece.set_number(number);
  piece.set_offset(layout.piece(number).begin);
  piece.set_length(layout.piece(number).size());
}

}  // namespace

DownloadCall::DownloadCall(const CallRoom& room, ResponseStream& stream, Caller caller,
                           CallRequest request, std::function<void()> on_end)
    : room_(room),
      stream_(stream),
      caller_(std::move(caller)),
      request_(std::move(request)),
      on_end_(std::move(on_end)),
      timeout_(room.loop,
               [this](auto) { finish({DEADLINE_EXCEEDED, "the request's timeout is over"}); }) {}

DownloadCall::~DownloadCall() {
  if (download_) download_->unsubscribe(*this);
}

void DownloadCall::begin() {
  // Before the download: a path that cannot be written is not worth one.
  if (auto opened = open_output(); !opened) return finish(output_status(opened.error()));
  if (request_.timeout) timeout_.arm(*request_.timeout);
  download_ = room_.downloads.join(request_.download);
  download_->subscribe(*this);
}

void DownloadCall::on_written(bool ok) {
  writing_ = false;
  if (!ok) return finish({CANCELLED, "the client is gone"});
  advance();
}

void DownloadCall::advance() {
  if (writing_) return;
  if (download_->failure()) return finish(status_of(*download_->failure()));
  if (!download_->known()) return;
  if (!started_) return send_started();
  if (next_ < download_->finished().size()) return send_piece(download_->finished()[next_++]);
  if (download_->complete()) conclude();
}

void DownloadCall::send_started() {
  started_ = true;
  const TaskFiles& files = download_->files();
  DownloadTaskResponse message;
  auto& started = *message.mutable_download_task_started_response();
  started.set_content_length(files.layout().length);
  started.set_is_finished(download_->complete());
  started.mutable_response_header()->insert(files.manifest().headers.begin(),
                                            files.manifest().headers.end());
  for (std::uint32_t number = 0; number < files.layout().count(); ++number) {
    describe(files.layout(), number, *started.add_pieces());
  }
  send(std::move(message));
}

void DownloadCall::send_piece(std::uint32_t number) {
  const TaskFiles& files = download_->files();
  const ByteRange range = files.layout().piece(number);
  if (output_ && !request_.hard_link) {
    if (auto copied = output_->copy(files.data_fd(), range); !copied) {
      return finish(output_status(copied.error()));
    }
  }
  DownloadTaskResponse message;
  auto& piece = *message.mutable_download_piece_finished_response()->mutable_piece();
  describe(files.layout(), number, piece);
  piece.set_digest(fmt::format("crc32c:{:08x}", files.crc_of(number)));
  piece.set_traffic_type(common::v2::BACK_TO_SOURCE);
  if (request_.piece_content) {
    std::string& content = *piece.mutable_content();
    content.resize(range.size());
    if (auto got = files.read(range.begin, std::as_writable_bytes(std::span(content))); !got) {
      return finish({INTERNAL, got.error().text()});
    }
  }
  send(std::move(message));
}

void DownloadCall::send(DownloadTaskResponse message) {
  message.set_host_id(room_.host_id);
  message.set_task_id(request_.download.id);
  // One peer a host: the host's name is the peer's.
  message.set_peer_id(room_.host_id + "-peer");
  writing_ = true;
  stream_.write(std::move(message));
}

void DownloadCall::conclude() {
  if (const auto& digest = request_.download.digest) {
    const auto verdict = download_->verdict(*digest);
    if (verdict == Download::Verdict::Pending) return;  // its news comes
    if (verdict == Download::Verdict::Wrong) {
      return finish(status_of({Failure::Kind::DataLoss, "digest: the origin's data has another"}));
    }
  }
  if (auto written = write_output(); !written) return finish(output_status(written.error()));
  finish(grpc::Status::OK);
}

Result<void> DownloadCall::open_output() {
  if (request_.output_path.empty() || request_.hard_link) return {};
  auto output = OutputFile::create(caller_, request_.output_path, request_.overwrite);
  if (!output) return std::unexpected(std::move(output.error()));
  output_.emplace(std::move(*output));
  return {};
}

Result<void> DownloadCall::write_output() {
  if (request_.hard_link) {
    auto linked = OutputFile::link(caller_, request_.output_path, request_.overwrite,
                                   download_->files().data_path());
    if (!linked) return std::unexpected(std::move(linked.error()));
    output_.emplace(std::move(*linked));
  }
  return output_ ? output_->commit() : Result<void>();
}

void DownloadCall::finish(const grpc::Status& status) {
  // What is not wanted is gone when the client hears of the end.
  output_.reset();
  stream_.finish(status);
  // It may destroy this object, and with it the function that runs.
  const auto on_end = std::move(on_end_);
  on_end();
}

}  // namespace perch::peer
