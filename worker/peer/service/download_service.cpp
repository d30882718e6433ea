// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/download_service.h"

#include <fmt/format.h>

#include "worker/peer/service/messages.h"

namespace perch::peer {
namespace {

using namespace dfdaemon::v2;
using grpc::ServerUnaryReactor;
using enum grpc::StatusCode;

const grpc::Status kStopping(UNAVAILABLE, "the peer is stopping");
const grpc::Status kTooManyCalls(RESOURCE_EXHAUSTED, "too many calls at once");
const grpc::Status kTooManyReplies(RESOURCE_EXHAUSTED, "too many answers wait to be taken");

// What is no such message, or holds text that is not UTF-8.
grpc::Status unreadable(const google::protobuf::Message& message) {
  return {INVALID_ARGUMENT,
          fmt::format("the request is not a {}", message.GetDescriptor()->full_name())};
}

// A stream that ends before it began.
class Refusal final : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit Refusal(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

// One answer. It is its own owner, and holds its shares until the client has taken it.
class Reply final : public ServerUnaryReactor {
 public:
  explicit Reply(OpenCall open_call) : open_call_(std::move(open_call)) {}

  void answer(const google::protobuf::Message& message, grpc::ByteBuffer& bytes,
              Allowance& allowance) {
    share_ = allowance.take(message.ByteSizeLong());
    if (!share_) return Finish(kTooManyReplies);
    bytes = encode(message);
    Finish(grpc::Status::OK);
  }
  void OnDone() override { delete this; }

 private:
  OpenCall open_call_;
  Allowance::Share share_;
};

ServerUnaryReactor* refuse(grpc::CallbackServerContext& context, const grpc::Status& status) {
  auto* const reactor = context.DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

}  // namespace

std::optional<OpenCall> DownloadService::open_call() {
  OpenCall call{open_calls_.take(1), allowances_.calls.take(1)};
  if (!call.here || !call.of_all) return std::nullopt;
  return call;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* DownloadService::DownloadTask(Context* context,
                                                                          const Bytes* request) {
  auto open = open_call();
  if (!open) return new Refusal(kTooManyCalls);
  DownloadTaskRequest message;
  const bool readable = decode(*request, message);
  // It is its own owner.
  return new ResponseStream(room_.mailbox, room_.calls, *context, std::move(*open),
                            [this, readable, message = std::move(message)](auto& stream) {
                              if (!readable) return stream.finish(unreadable(message));
                              room_.calls.begin(stream, caller_, message);
                            });
}

// `answer` runs on the loop: Request -> std::expected<some message, grpc::Status>.
template <class Request, class Answer>
ServerUnaryReactor* DownloadService::answer_on_loop(Context* context, const Bytes* request,
                                                    Bytes* reply, Answer answer) {
  auto open = open_call();
  if (!open) return refuse(*context, kTooManyCalls);
  Request message;
  if (!decode(*request, message)) return refuse(*context, unreadable(message));
  auto* const out = new Reply(std::move(*open));
  const bool posted =
      room_.mailbox.post([context, reply, out, answer = std::move(answer),
                          &allowance = allowances_.reply_bytes, message = std::move(message)] {
        if (context->IsCancelled()) return out->Finish(grpc::Status::CANCELLED);
        const auto answered = answer(message);
        if (!answered) return out->Finish(answered.error());
        out->answer(*answered, *reply, allowance);
      });
  if (!posted) out->Finish(kStopping);
  return out;
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
