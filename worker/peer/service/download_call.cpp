// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/download_call.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "worker/peer/service/mapped_content.h"
#include "worker/peer/service/messages.h"
#include "worker/peer/store/crc32c.h"

namespace perch::peer {
namespace {

using dfdaemon::v2::DownloadTaskResponse;
using enum grpc::StatusCode;

constexpr std::size_t kReadBlock = 256U << 10U;
// A piece has up to 64 MiB, and all the others wait while the loop copies.
constexpr std::uint64_t kCopyATurn = 1U << 20U;

ByteRange shared_part(ByteRange a, ByteRange b) {
  const std::uint64_t begin = std::max(a.begin, b.begin);
  return {begin, std::max(begin, std::min(a.end, b.end))};
}

// Somebody has the stored file under a name of his own (force_hard_link), and may write to it.
bool has_other_names(const TaskFiles& files) {
  struct stat status{};
  return ::fstat(files.data_fd(), &status) != 0 || status.st_nlink > 1;
}

Result<bool> is_as_recorded(const TaskFiles& files, std::uint32_t number) {
  ByteRange rest = files.layout().piece(number);
  std::vector<std::byte> block(std::min<std::uint64_t>(kReadBlock, rest.size()));
  std::uint32_t sum = 0;
  while (rest.size() > 0) {
    const auto part = std::span(block).first(std::min<std::uint64_t>(block.size(), rest.size()));
    if (auto got = files.read(rest.begin, part); !got)
      return std::unexpected(std::move(got.error()));
    sum = crc32c(part, sum);
    rest.begin += part.size();
  }
  return sum == files.crc_of(number);
}

}  // namespace

DownloadCall::DownloadCall(const CallRoom& room, ResponseStream& stream, Caller caller,
                           CallRequest request, std::function<void()> on_end)
    : room_(room),
      stream_(stream),
      caller_(std::move(caller)),
      request_(std::move(request)),
      on_end_(std::move(on_end)),
      timeout_(room.loop, [this](auto) { on_timeout(); }),
      stall_(room.loop, [this](auto) { give_up(); }),
      next_copy_(room.loop, [this](auto) { advance(); }) {}

DownloadCall::~DownloadCall() {
  if (download_) download_->unsubscribe(*this);
}

void DownloadCall::begin() {
  // Before the download: a path that cannot be written is not worth one.
  if (auto opened = open_output(); !opened) return finish(output_status(opened.error()));
  if (request_.timeout) timeout_.arm(*request_.timeout);
  auto joined = room_.downloads.join(request_.download);
  if (!joined) return finish(status_of(joined.error()));
  download_ = std::move(*joined);
  download_->subscribe(*this);
}

void DownloadCall::on_written(bool ok) {
  writing_ = false;
  stall_.disarm();
  if (!ok) return finish({CANCELLED, "the client is gone"});
  advance();
}

void DownloadCall::on_timeout() {
  overdue_ = true;
  advance();
}

// A status is not given while a message is on its way: behind a client that never takes the message
// it would wait out of anybody's sight.
void DownloadCall::advance() {
  if (writing_) return;
  if (overdue_) return finish({DEADLINE_EXCEEDED, "the request's timeout is over"});
  if (download_->failure()) return finish(status_of(*download_->failure()));
  if (!download_->known()) return;
  if (!started_) return send_started();
  if (is_left_behind()) return finish(status_of(changed_file()));
  if (next_copy_.armed()) return;
  if (copying_) return copy_some();
  while (next_ < download_->finished().size()) {
    const std::uint32_t number = download_->finished()[next_++];
    // One that is to be fetched again comes again.
    if (is_wanted(number) && download_->files().done(number)) return begin_piece(number);
  }
  if (left_.empty() && (request_.range || download_->complete())) conclude();
}

bool DownloadCall::is_left_behind() const {
  return !request_.download.digest && generation_ != download_->files().manifest().generation;
}

bool DownloadCall::wants(ByteRange bytes) const {
  return !request_.range || shared_part(bytes, *request_.range).size() > 0;
}

bool DownloadCall::is_wanted(std::uint32_t number) const {
  return shared_part(download_->files().layout().piece(number), wanted_).size() > 0;
}

void DownloadCall::send_started() {
  started_ = true;
  const TaskFiles& files = download_->files();
  generation_ = files.manifest().generation;
  const std::uint64_t length = files.layout().length;
  wanted_ = shared_part({0, length}, request_.range.value_or(ByteRange{0, length}));
  if (request_.range && wanted_.size() == 0) {
    return finish({OUT_OF_RANGE, "range: begins behind the end of the file"});
  }
  DownloadTaskResponse message;
  auto& started = *message.mutable_download_task_started_response();
  started.set_content_length(length);
  started.set_is_finished(download_->complete());
  started.mutable_response_header()->insert(files.manifest().headers.begin(),
                                            files.manifest().headers.end());
  if (request_.range) {
    started.mutable_range()->set_start(wanted_.begin);
    started.mutable_range()->set_length(wanted_.size());
  }
  for (std::uint32_t number = 0; number < files.layout().count(); ++number) {
    if (!is_wanted(number)) continue;
    describe(files, number, *started.add_pieces());
    left_.insert(number);
  }
  send(std::move(message), {});
}

void DownloadCall::begin_piece(std::uint32_t number) {
  const TaskFiles& files = download_->files();
  if (has_other_names(files)) {
    const auto right = is_as_recorded(files, number);
    if (!right) return finish({INTERNAL, right.error().text()});
    if (!*right) return finish_with_damage();
  }
  if (!output_) return send_piece(number);
  copying_ = Copying{number, shared_part(files.layout().piece(number), wanted_)};
  copy_some();
}

void DownloadCall::copy_some() {
  const std::uint32_t number = copying_->piece;
  ByteRange& rest = copying_->rest;
  const ByteRange part{rest.begin, rest.begin + std::min(rest.size(), kCopyATurn)};
  const int data_fd = download_->files().data_fd();
  if (auto copied = output_->copy(data_fd, part, part.begin - wanted_.begin); !copied) {
    return finish(output_status(copied.error()));
  }
  rest.begin = part.end;
  if (rest.size() > 0) return next_copy_.arm(std::chrono::nanoseconds(0));
  copying_.reset();
  // One that was given up meanwhile is fetched, and comes, again.
  if (!download_->files().done(number)) return advance();
  send_piece(number);
}

void DownloadCall::send_piece(std::uint32_t number) {
  left_.erase(number);
  const TaskFiles& files = download_->files();
  const ByteRange range = files.layout().piece(number);
  DownloadTaskResponse message;
  auto& piece = *message.mutable_download_piece_finished_response()->mutable_piece();
  describe(files, number, piece);
  piece.set_traffic_type(common::v2::BACK_TO_SOURCE);
  if (!request_.piece_content) return send(std::move(message), {});
  const auto content = mapped_content(files.data_fd(), range);
  if (!content) return finish({INTERNAL, content.error().text()});
  send(std::move(message), *content);
}

void DownloadCall::send(DownloadTaskResponse message, const std::vector<grpc::Slice>& content) {
  message.set_host_id(room_.host_id);
  message.set_task_id(request_.download.id);
  // One peer a host: the host's name is the peer's.
  message.set_peer_id(room_.host_id + "-peer");
  writing_ = true;
  stall_.arm(room_.limits.idle_timeout);
  stream_.write(content.empty() ? encode(message) : encode(std::move(message), content));
}

void DownloadCall::conclude() {
  if (const auto& digest = request_.download.digest) {
    const auto verdict = download_->verdict(*digest);
    if (verdict == Download::Verdict::Pending) return;  // its news comes
    if (verdict == Download::Verdict::Wrong) {
      return finish(status_of({Failure::Kind::DataLoss, "digest: the origin's data has another"}));
    }
  }
  // By its path another download's file could be linked, which has taken the place of this one's.
  if (request_.hard_link && !download_->alive()) return finish(status_of(changed_file()));
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

void DownloadCall::finish_with_damage() {
  if (auto gone = room_.downloads.discard(request_.download.id); !gone) {
    return finish({INTERNAL, gone.error().text()});
  }
  finish({ABORTED, "somebody wrote to the stored file through a hard link: ask again"});
}

void DownloadCall::finish(const grpc::Status& status) {
  // What is not wanted is gone when the client hears of the end.
  output_.reset();
  stream_.finish(status);
  end();
}

// The client may never read a status either: what waits for it is dropped.
void DownloadCall::give_up() {
  output_.reset();
  stream_.abandon();
  end();
}

void DownloadCall::end() {
  // It may destroy this object, and with it the function that runs.
  const auto on_end = std::move(on_end_);
  on_end();
}

}  // namespace perch::peer
