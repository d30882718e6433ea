// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/get.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/value/text.h"
#include "worker/peer/client/download_stream.h"
#include "worker/peer/client/interruption.h"
#include "worker/peer/client/part_file.h"
#include "worker/peer/client/pieces.h"
#include "worker/peer/client/progress.h"
#include "worker/peer/client/retry.h"
#include "worker/peer/client/terminal.h"
#include "worker/peer/client/wish.h"
#include "worker/peer/store/crc32c.h"
#include "worker/peer/store/shown_url.h"

namespace perch::peer {
namespace {

using dfdaemon::v2::DfdaemonDownload;
using dfdaemon::v2::DownloadTaskRequest;
using dfdaemon::v2::DownloadTaskResponse;
using dfdaemon::v2::DownloadTaskStartedResponse;
using std::chrono::milliseconds;

constexpr milliseconds kSilence{2000};  // after this long the user is told what is waited for

// What a call came to: nothing means "ask again".
using Outcome = std::optional<Ending>;

Offer offer_of(const DownloadTaskStartedResponse& started) {
  const Headers headers(started.response_header().begin(), started.response_header().end());
  Offer offer{.version = offered_version(headers), .length = started.content_length()};
  for (const auto& piece : started.pieces()) {
    offer.pieces[piece.number()] = {piece.offset(), piece.offset() + piece.length()};
  }
  return offer;
}

common::v2::Range range_message(ByteRange bytes) {
  common::v2::Range range;
  range.set_start(bytes.begin);
  range.set_length(bytes.size());
  return range;
}

class Getter {
 public:
  // `file` is empty where the peer writes it.
  Getter(const GetOptions& options, Wish wish, std::optional<PartFile> file,
         Interruption& interruption)
      : options_(options),
        wish_(std::move(wish)),
        file_(std::move(file)),
        interruption_(interruption),
        pieces_(wish_.range),
        progress_(options.quiet ? Verbosity::Quiet : Verbosity::Normal),
        channel_(channel_to(options.peer.socket)),
        stub_(DfdaemonDownload::NewStub(channel_)),
        started_(Clock::now()),
        deadline_(options.peer.deadline()) {}

  Ending run() {
    if (auto barred = barred_from(options_.peer.socket)) return *barred;
    Backoff backoff;
    for (;;) {
      const std::uint64_t before = pieces_.received();
      if (auto ending = call()) return *ending;
      if (pieces_.received() > before) {
        backoff.reset();
        trouble_.clear();
      }
      const auto delay = backoff.next(chance());
      if (Clock::now() + delay >= deadline_) return timed_out();
      if (interruption_.wait(delay)) return {};
    }
  }

 private:
  Ending timed_out() const { return peer::timed_out(options_.peer, *channel_, trouble_); }

  bool may_go_on() { return !interruption_.wait(milliseconds::zero()) && Clock::now() < deadline_; }

  // What went wrong with a file that has come.
  Ending file_trouble(const Error& error) {
    if (!error.is(ECANCELED)) return local_trouble(error);
    if (interruption_.came()) return {};
    return peer::timed_out(options_.peer, *channel_,
                           "all had come, but was not yet checked and written");
  }

  Outcome call() {
    const DownloadTaskRequest request = next_request();
    DownloadTaskResponse response;
    Outcome trouble;
    DownloadStream stream(*stub_, request, deadline_, [&] { on_tick(stream); });
    useless_ = false;
    while (!trouble && !useless_ && stream.read(response)) trouble = take(response);
    if (trouble || useless_) stream.cancel();
    const grpc::Status status = stream.finish();
    if (interruption_.came()) return Ending{};
    return trouble || useless_ ? trouble : judge(status);
  }

  // After a call that broke only what is missing is asked for: where the peer is killed often, what
  // has come would else be all that ever comes.
  DownloadTaskRequest next_request() const {
    DownloadTaskRequest request;
    *request.mutable_download() = wish_.download;
    const auto missing = file_ && !wish_.download.has_digest() ? pieces_.missing() : std::nullopt;
    if (missing) *request.mutable_download()->mutable_range() = range_message(*missing);
    return request;
  }

  void on_tick(DownloadStream& stream) {
    if (interruption_.wait(milliseconds::zero())) stream.cancel();
    progress_.tick();
    if (waiting_told_ || Clock::now() < started_ + kSilence) return;
    waiting_told_ = true;
    if (channel_->GetState(false) != GRPC_CHANNEL_READY) {
      progress_.note("waiting for a peer at " + options_.peer.socket);
    }
  }

  Outcome take(const DownloadTaskResponse& response) {
    if (response.has_download_task_started_response()) {
      return begin(response.download_task_started_response());
    }
    if (!response.has_download_piece_finished_response()) return std::nullopt;
    const auto& piece = response.download_piece_finished_response().piece();
    if (auto trouble = take_piece(piece)) return trouble;
    pieces_.add(piece.number());
    progress_.set(pieces_.received(), pieces_.wanted().size());
    return std::nullopt;
  }

  Outcome begin(const DownloadTaskStartedResponse& started) {
    const Fit fit = pieces_.expect(offer_of(started));
    progress_.set(pieces_.received(), pieces_.wanted().size());
    useless_ = fit == Fit::Useless;
    if (fit != Fit::Begins || !file_) return std::nullopt;
    const auto resized = file_->resize(pieces_.wanted().size());
    return resized ? std::nullopt : Outcome(local_trouble(resized.error()));
  }

  Outcome take_piece(const common::v2::Piece& piece) {
    const auto place = pieces_.place_of(piece.number());
    if (!place) return Ending{ExitCode::Refused, "the peer sent a piece that it did not name"};
    if (!file_) return std::nullopt;
    const auto content = std::as_bytes(std::span(piece.content()));
    if (content.size() != place->size() ||
        piece.digest() != fmt::format("crc32c:{:08x}", crc32c(content))) {
      return Ending{ExitCode::Refused, fmt::format("piece {} came damaged", piece.number())};
    }
    const ByteRange wanted = pieces_.wanted_of(*place);
    const auto written = file_->write(wanted.begin - pieces_.wanted().begin,
                                      content.subspan(wanted.begin - place->begin, wanted.size()));
    return written ? std::nullopt : Outcome(local_trouble(written.error()));
  }

  Outcome judge(const grpc::Status& status) {
    if (status.ok()) return conclude();
    const std::string reason = printable(status.error_message());
    const auto verdict = verdict_of(status.error_code());
    if (verdict == ExitCode::TimedOut) return timed_out();
    if (verdict) return Ending{*verdict, reason};
    // Only the word that it was all has not come. (What changed at the origin is asked for anew.)
    if (file_ && pieces_.complete() && status.error_code() != grpc::ABORTED) return conclude();
    // The same again and again is said once.
    if (reason != trouble_) progress_.note("asking again: " + reason);
    trouble_ = reason;
    return std::nullopt;
  }

  Outcome conclude() {
    if (!pieces_.complete()) return Ending{ExitCode::Refused, "the peer left out pieces"};
    const auto may_go_on = [this] { return this->may_go_on(); };
    if (file_ && wish_.digest) {
      const auto matches = file_->matches(*wish_.digest, may_go_on);
      if (!matches) return file_trouble(matches.error());
      if (!*matches) return on_wrong_digest();
    }
    if (interruption_.wait(milliseconds::zero())) return Ending{};
    if (file_) {
      if (auto done = file_->commit(may_go_on); !done) return file_trouble(done.error());
    }
    progress_.conclude(file_ ? file_->path() : wish_.output);
    return Ending{};
  }

  // The peer is told the digest only now: then it looks for what is wrong in its store and fetches
  // that again. Before, it would have to read a whole file in one life.
  Outcome on_wrong_digest() {
    if (wish_.download.has_digest()) {
      return Ending{ExitCode::WrongDigest, "the data does not have this digest"};
    }
    progress_.note("the data does not have this digest: the peer is asked to look for damage");
    wish_.download.set_digest(options_.digest);
    pieces_.forget();
    return std::nullopt;
  }

  const GetOptions& options_;
  Wish wish_;
  std::optional<PartFile> file_;
  Interruption& interruption_;
  Pieces pieces_;
  Progress progress_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<DfdaemonDownload::Stub> stub_;
  Clock::time_point started_;
  Clock::time_point deadline_;
  bool waiting_told_ = false;
  bool useless_ = false;  // the call brings nothing that can be used
  std::string trouble_;   // why the last call came to nothing
};

Ending try_get(const GetOptions& options, Interruption& interruption) {
  auto wish = read_wish(options);
  if (!wish) return {ExitCode::Usage, wish.error().text()};
  std::optional<PartFile> file;
  if (!options.output_by_peer) {
    const auto existing = options.force ? Existing::Replace : Existing::Keep;
    auto made = wish->output == "-" ? PartFile::for_stdout() : PartFile::at(wish->output, existing);
    if (!made) return local_trouble(made.error());
    file.emplace(std::move(*made));
  }
  return Getter(options, std::move(*wish), std::move(file), interruption).run();
}

}  // namespace

ExitCode get(const GetOptions& options) {
  Interruption interruption;
  const Ending ending = try_get(options, interruption);
  interruption.end_process();
  if (!ending.reason.empty()) {
    say(fmt::format("perch-peer get {}: {}\n", printable(shown_url(options.url)), ending.reason));
  }
  return ending.exit;
}

}  // namespace perch::peer
