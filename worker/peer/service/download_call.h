// SPDX-License-Identifier: Apache-2.0
// DownloadCall: one DownloadTask call, on the loop. It joins the download of its task and sends the
// started message, then each piece as it is finished, one message at a time: the next one is made
// when gRPC has taken the last, so a slow client costs one piece of memory at most. The caller's
// output file grows with the pieces and appears at its path when everything is right.
#pragma once

#include <memory>
#include <optional>

#include "common/loop/timer.h"
#include "worker/peer/download/downloads.h"
#include "worker/peer/service/call_request.h"
#include "worker/peer/service/response_stream.h"

namespace perch::peer {

// What all calls share; outlives them.
struct CallRoom {
  Loop& loop;
  Downloads& downloads;
  std::string host_id;
};

class DownloadCall final : public Download::Subscriber {
 public:
  // `on_end` is called once, after the stream's status was given; it may destroy the call.
  DownloadCall(const CallRoom& room, ResponseStream& stream, Caller caller, CallRequest request,
               std::function<void()> on_end);
  ~DownloadCall() override;

  void begin();
  void on_written(bool ok);
  // Ends the call with this status, as far as its client still listens.
  void finish(const grpc::Status& status);

  void on_progress() override { advance(); }

 private:
  void advance();
  void send_started();
  void send_piece(std::uint32_t number);
  void send(dfdaemon::v2::DownloadTaskResponse message);
  void conclude();
  Result<void> open_output();
  Result<void> write_output();

  const CallRoom& room_;
  ResponseStream& stream_;
  Caller caller_;
  CallRequest request_;
  std::function<void()> on_end_;
  std::shared_ptr<Download> download_;
  std::optional<OutputFile> output_;
  bool started_ = false;  // the started message is out
  bool writing_ = false;  // gRPC has a message of ours
  std::size_t next_ = 0;  // in Download::finished()
  Timer timeout_;
};

}  // namespace perch::peer
