// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/get.h"

#include <dfdaemon.grpc.pb.h>
#include <fmt/format.h>
#include <grpcpp/create_channel.h>

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include "common/value/text.h"
#include "worker/peer/client/part_file.h"
#include "worker/peer/client/progress.h"
#include "worker/peer/store/crc32c.h"
#include "worker/peer/store/manifest.h"

namespace perch::peer {
namespace {

using dfdaemon::v2::DfdaemonDownload;
using dfdaemon::v2::DownloadTaskRequest;
using dfdaemon::v2::DownloadTaskResponse;
using std::chrono::milliseconds;
using Clock = std::chrono::system_clock;  // gRPC's deadlines are of this clock

constexpr milliseconds kFirstDelay{100};
constexpr milliseconds kMaxDelay{2000};
constexpr milliseconds kSilence{2000};  // after this long the user is told what is waited for

// Why the download ends.
struct Ending {
  GetExit exit;
  std::string reason;
};
// What a call came to: nothing means "ask again".
using Outcome = std::optional<Ending>;

Ending local_trouble(const Error& error) { return {GetExit::LocalFile, error.text()}; }

std::shared_ptr<grpc::Channel> channel_to(const std::string& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);  // a message holds a piece
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  return grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
}

class Getter {
 public:
  Getter(const GetOptions& options, std::optional<Digest> digest, PartFile file)
      : options_(options),
        digest_(std::move(digest)),
        file_(std::move(file)),
        channel_(channel_to(options.socket)),
        stub_(DfdaemonDownload::NewStub(channel_)),
        deadline_(Clock::now() + std::chrono::seconds(options.timeout_seconds)) {}

  Ending run() {
    if (!channel_->WaitForConnected(std::min(deadline_, Clock::now() + kSilence))) {
      progress_.note("waiting for a peer at " + options_.socket);
    }
    for (auto delay = kFirstDelay;; delay = std::min(2 * delay, kMaxDelay)) {
      const std::uint64_t before = file_.received();
      if (auto ending = call()) return *ending;
      if (file_.received() > before) {
        delay = kFirstDelay;
        trouble_.clear();
      }
      if (Clock::now() + delay >= deadline_) return timed_out();
      std::this_thread::sleep_for(delay);
    }
  }

 private:
  Ending timed_out() const {
    std::string text = fmt::format("not done in {} s", options_.timeout_seconds);
    if (!trouble_.empty()) {
      text += ": " + trouble_;
    } else if (channel_->GetState(false) != GRPC_CHANNEL_READY) {
      text += ": no peer answers at " + options_.socket;
    }
    return {GetExit::TimedOut, std::move(text)};
  }

  Outcome call() {
    grpc::ClientContext context;
    context.set_deadline(deadline_);
    context.set_wait_for_ready(true);
    const auto stream = stub_->DownloadTask(&context, request());
    DownloadTaskResponse response;
    Outcome trouble;
    while (!trouble && stream->Read(&response)) trouble = take(response);
    if (trouble) context.TryCancel();
    const grpc::Status status = stream->Finish();
    return trouble ? trouble : judge(status);
  }

  DownloadTaskRequest request() const {
    DownloadTaskRequest request;
    auto& download = *request.mutable_download();
    download.set_url(options_.url);
    download.set_need_piece_content(true);
    // The peer checks as well, and drops what it stored when it does not fit.
    if (!options_.digest.empty()) download.set_digest(options_.digest);
    return request;
  }

  Outcome take(const DownloadTaskResponse& response) {
    if (response.has_download_task_started_response()) {
      const auto& started = response.download_task_started_response();
      const Headers headers(started.response_header().begin(), started.response_header().end());
      const auto expected = file_.expect(started.content_length(), validator_of(headers));
      if (!expected) return local_trouble(expected.error());
    } else if (response.has_download_piece_finished_response()) {
      return take_piece(response.download_piece_finished_response().piece());
    }
    progress_.show(file_.received(), file_.length());
    return std::nullopt;
  }

  Outcome take_piece(const common::v2::Piece& piece) {
    if (file_.has(piece.number())) return std::nullopt;
    const auto sum = crc32c(std::as_bytes(std::span(piece.content())));
    if (piece.content().size() != piece.length() ||
        piece.digest() != fmt::format("crc32c:{:08x}", sum)) {
      return Ending{GetExit::Refused, fmt::format("piece {} came damaged", piece.number())};
    }
    const auto put = file_.put(piece.number(), piece.offset(), piece.content());
    if (!put) return local_trouble(put.error());
    progress_.show(file_.received(), file_.length());
    return std::nullopt;
  }

  Outcome judge(const grpc::Status& status) {
    using enum grpc::StatusCode;
    if (status.ok()) return conclude();
    const std::string reason = printable(status.error_message());
    if (status.error_code() == DEADLINE_EXCEEDED) return timed_out();
    if (status.error_code() == DATA_LOSS) return Ending{GetExit::WrongDigest, reason};
    if (status.error_code() != UNAVAILABLE && status.error_code() != ABORTED) {
      return Ending{GetExit::Refused, reason};
    }
    // The same again and again is said once.
    if (reason != trouble_) progress_.note("asking again: " + reason);
    trouble_ = reason;
    return std::nullopt;
  }

  Outcome conclude() {
    if (file_.received() != file_.length()) {
      return Ending{GetExit::Refused, "the peer left out pieces"};
    }
    if (digest_) {
      const auto matches = file_.matches(*digest_);
      if (!matches) return local_trouble(matches.error());
      if (!*matches) return Ending{GetExit::WrongDigest, "the data does not have this digest"};
    }
    if (auto done = file_.commit(); !done) return local_trouble(done.error());
    return Ending{GetExit::Done, {}};
  }

  GetOptions options_;
  std::optional<Digest> digest_;
  PartFile file_;
  Progress progress_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<DfdaemonDownload::Stub> stub_;
  Clock::time_point deadline_;
  std::string trouble_;  // why the last call came to nothing
};

Ending try_get(const GetOptions& options) {
  std::optional<Digest> digest;
  if (!options.digest.empty()) {
    auto parsed = Digest::parse(options.digest);
    if (!parsed) return {GetExit::Usage, parsed.error().text()};
    digest = std::move(*parsed);
  }
  auto file = PartFile::create(options.output);
  if (!file) return local_trouble(file.error());
  return Getter(options, std::move(digest), std::move(*file)).run();
}

}  // namespace

GetExit get(const GetOptions& options) {
  const Ending ending = try_get(options);
  if (!ending.reason.empty()) {
    fmt::print(stderr, "perch-peer get {}: {}\n", printable(options.url), ending.reason);
  }
  return ending.exit;
}

}  // namespace perch::peer
