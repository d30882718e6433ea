// SPDX-License-Identifier: Apache-2.0
// DownloadCall: one DownloadTask call, on the loop. It joins the download of its task and sends the
// started message, then each piece that it listed as it is finished, one message at a time: the
// next one is made when gRPC has taken the last. The caller's output file grows with the pieces and
// appears at its path when everything is right.
#pragma once

#include <memory>
#include <optional>
#include <set>

#include "common/loop/timer.h"
#include "worker/peer/download/downloads.h"
#include "worker/peer/service/call_request.h"
#include "worker/peer/service/response_stream.h"
#include "worker/peer/service/service_limits.h"

namespace perch::peer {

// What all calls share; outlives them.
struct CallRoom {
  Loop& loop;
  Downloads& downloads;
  std::string host_id;
  ServiceLimits limits;
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
  [[nodiscard]] bool wants(ByteRange bytes) const override;

 private:
  void on_timeout();
  void advance();
  void send_started();
  void begin_piece(std::uint32_t number);
  // A part of the piece to the output file; the last part sends it.
  void copy_some();
  void send_piece(std::uint32_t number);
  void send(dfdaemon::v2::DownloadTaskResponse message, const std::vector<grpc::Slice>& content);
  // The stored data is not what was recorded: the next call begins anew.
  void finish_with_damage();
  // The client takes nothing any more.
  void give_up();
  void end();
  [[nodiscard]] bool is_wanted(std::uint32_t number) const;
  // What was told is of a version that has been given up, and nothing tells the client's other
  // bytes from it. A digest would: such a call gets all pieces again.
  [[nodiscard]] bool is_left_behind() const;
  // Everything was sent that was listed.
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
  ByteRange wanted_;              // of the file; known once the file is
  bool started_ = false;          // the started message is out
  bool writing_ = false;          // gRPC has a message of ours
  bool overdue_ = false;          // the request's timeout is over
  std::size_t next_ = 0;          // in Download::finished()
  std::set<std::uint32_t> left_;  // listed, and not sent yet
  std::uint64_t generation_ = 0;  // of what the started message told
  struct Copying {
    std::uint32_t piece = 0;
    ByteRange rest;
  };
  std::optional<Copying> copying_;
  Timer timeout_;
  Timer stall_;  // until the client takes the message that gRPC has
  Timer next_copy_;
};

}  // namespace perch::peer
