// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/calls.h"

#include <fmt/format.h>

#include <utility>

namespace perch::peer {
namespace {

const grpc::Status kRestarting(grpc::StatusCode::UNAVAILABLE, "the peer restarts: ask again");

}  // namespace

void Calls::begin(ResponseStream& stream, const Caller& caller,
                  const dfdaemon::v2::DownloadTaskRequest& request) {
  if (refusing_) return stream.finish(kRestarting);
  auto read = read_request(request);
  if (!read) return stream.finish(read.error());
  if (running_.size() >= room_.limits.calls) {
    return stream.finish(
        {grpc::StatusCode::RESOURCE_EXHAUSTED,
         fmt::format("too many downloads at once: {} are in progress", running_.size())});
  }
  auto call = std::make_unique<DownloadCall>(room_, stream, caller, std::move(*read),
                                             [this, key = &stream] { end(key); });
  // Known before it begins: it may end at once.
  running_.emplace(&stream, std::move(call)).first->second->begin();
}

void Calls::on_written(ResponseStream& stream, bool ok) {
  if (const auto call = running_.find(&stream); call != running_.end()) {
    call->second->on_written(ok);
  }
}

void Calls::on_cancelled(ResponseStream& stream) {
  if (const auto call = running_.find(&stream); call != running_.end()) {
    call->second->finish(grpc::Status::CANCELLED);
  }
}

void Calls::end_all() {
  while (!running_.empty()) running_.begin()->second->finish(kRestarting);
}

void Calls::end(const ResponseStream* stream) {
  running_.erase(stream);
  if (running_.empty()) on_idle_();
}

}  // namespace perch::peer
