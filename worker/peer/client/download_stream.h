// SPDX-License-Identifier: Apache-2.0
// DownloadStream: one DownloadTask call, read message by message. It calls `tick` after each
// message and, while it waits, every now and then, on the same thread; so one thread can look at
// the clock and at signals, too.
#pragma once

#include <dfdaemon.grpc.pb.h>
#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>

#include <functional>
#include <memory>

#include "worker/peer/client/connection.h"

namespace perch::peer {

class DownloadStream {
 public:
  using Stub = dfdaemon::v2::DfdaemonDownload::Stub;

  // Begins the call; it waits for a peer where there is none. `tick` may cancel().
  DownloadStream(Stub& stub, const dfdaemon::v2::DownloadTaskRequest& request,
                 Clock::time_point deadline, std::function<void()> tick);
  ~DownloadStream();
  DownloadStream(const DownloadStream&) = delete;
  DownloadStream& operator=(const DownloadStream&) = delete;

  // False: there is no more, finish() says why.
  bool read(dfdaemon::v2::DownloadTaskResponse& response);
  void cancel() { context_.TryCancel(); }
  // Once, when nothing more is read.
  grpc::Status finish();

 private:
  bool wait();

  std::function<void()> tick_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReader<dfdaemon::v2::DownloadTaskResponse>> reader_;
  bool open_ = false;
};

}  // namespace perch::peer
