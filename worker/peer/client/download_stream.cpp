// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/download_stream.h"

#include <utility>

namespace perch::peer {
namespace {

constexpr std::chrono::milliseconds kTick{50};

}  // namespace

DownloadStream::DownloadStream(Stub& stub, const dfdaemon::v2::DownloadTaskRequest& request,
                               Clock::time_point deadline, std::function<void()> tick)
    : tick_(std::move(tick)) {
  context_.set_deadline(deadline);
  context_.set_wait_for_ready(true);
  reader_ = stub.AsyncDownloadTask(&context_, request, &queue_, nullptr);
  open_ = wait();
}

DownloadStream::~DownloadStream() {
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

bool DownloadStream::read(dfdaemon::v2::DownloadTaskResponse& response) {
  if (!open_) return false;
  reader_->Read(&response, nullptr);
  open_ = wait();
  return open_;
}

grpc::Status DownloadStream::finish() {
  grpc::Status status;
  reader_->Finish(&status, nullptr);
  wait();
  return status;
}

// One operation at a time is under way, so its tag says nothing. Messages that follow each other
// fast tick, too: else a signal would have to wait for all of them.
bool DownloadStream::wait() {
  void* tag = nullptr;
  bool ok = false;
  auto next = grpc::CompletionQueue::TIMEOUT;
  while (next == grpc::CompletionQueue::TIMEOUT) {
    next = queue_.AsyncNext(&tag, &ok, Clock::now() + kTick);
    tick_();
  }
  return ok;
}

}  // namespace perch::peer
