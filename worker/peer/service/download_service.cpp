// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/download_service.h"

#include <fmt/format.h>

#include "worker/peer/service/messages.h"

namespace perch::peer {
namespace {

using namespace dfdaemon::v2;
using grpc::ServerUnaryReactor;

const grpc::Status kStopping(grpc::StatusCode::UNAVAILABLE, "the peer is stopping");

// What is no such message, or holds text that is not UTF-8.
grpc::Status unreadable(const google::protobuf::Message& message) {
  return {grpc::StatusCode::INVALID_ARGUMENT,
          fmt::format("the request is not a {}", message.GetDescriptor()->full_name())};
}

}  // namespace

grpc::ServerWriteReactor<grpc::ByteBuffer>* DownloadService::DownloadTask(Context* context,
                                                                          const Bytes* request) {
  DownloadTaskRequest message;
  const bool readable = decode(*request, message);
  // It is its own owner.
  return new ResponseStream(room_.mailbox, room_.calls, *context,
                            [this, readable, message = std::move(message)](auto& stream) {
                              if (!readable) return stream.finish(unreadable(message));
                              room_.calls.begin(stream, caller_, message);
                            });
}

// `answer` runs on the loop: Request -> std::expected<some message, grpc::Status>.
template <class Request, class Answer>
ServerUnaryReactor* DownloadService::answer_on_loop(Context* context, const Bytes* request,
                                                    Bytes* reply, Answer answer) {
  auto* reactor = context->DefaultReactor();
  Request message;
  if (!decode(*request, message)) {
    reactor->Finish(unreadable(message));
    return reactor;
  }
  const bool posted = room_.mailbox.post([=, message = std::move(message)] {
    const auto answered = answer(message);
    if (answered) *reply = encode(*answered);
    reactor->Finish(answered ? grpc::Status::OK : answered.error());
  });
  if (!posted) reactor->Finish(kStopping);
  return reactor;
}

ServerUnaryReactor* DownloadService::StatTask(Context* context, const Bytes* request,
                                              Bytes* reply) {
  return answer_on_loop<StatTaskRequest>(
      context, request, reply,
      [&tasks = room_.tasks](const auto& asked) { return tasks.stat(asked.task_id()); });
}

ServerUnaryReactor* DownloadService::StatLocalTask(Context* context, const Bytes* request,
                                                   Bytes* reply) {
  return answer_on_loop<StatLocalTaskRequest>(
      context, request, reply,
      [&tasks = room_.tasks](const auto& asked) { return tasks.stat_local(asked.task_id()); });
}

ServerUnaryReactor* DownloadService::ListLocalTasks(Context* context, const Bytes* request,
                                                    Bytes* reply) {
  return answer_on_loop<ListLocalTasksRequest>(
      context, request, reply, [context, &tasks = room_.tasks](const auto& /*asked*/) {
        auto list = tasks.list();
        if (list.left_out > 0) {
          context->AddTrailingMetadata("perch-left-out", std::to_string(list.left_out));
        }
        return std::expected<ListLocalTasksResponse, grpc::Status>(std::move(list.tasks));
      });
}

ServerUnaryReactor* DownloadService::DeleteTask(Context* context, const Bytes* request,
                                                Bytes* reply) {
  return answer_on_loop<DeleteTaskRequest>(
      context, request, reply,
      [&tasks = room_.tasks](const auto& asked) { return tasks.remove(asked.task_id()); });
}

ServerUnaryReactor* DownloadService::DeleteLocalTask(Context* context, const Bytes* request,
                                                     Bytes* reply) {
  return answer_on_loop<DeleteLocalTaskRequest>(
      context, request, reply,
      [&tasks = room_.tasks](const auto& asked) { return tasks.remove(asked.task_id()); });
}

}  // namespace perch::peer
