// SPDX-License-Identifier: Apache-2.0
// DownloadService: dfdaemon.v2.DfdaemonDownload for the connections of one caller. A gRPC call does
// not tell which connection it came by, so who calls is a property of the service object, not of
// the call: there is one for each caller (ServerPool). Its methods run on gRPC's threads, read the
// request and post it to the loop; what is above the limits is refused before it is read.
#pragma once

#include <dfdaemon.grpc.pb.h>

#include <limits>
#include <optional>

#include "worker/peer/service/calls.h"
#include "worker/peer/service/mailbox.h"
#include "worker/peer/service/service_limits.h"
#include "worker/peer/service/stored_tasks.h"

namespace perch::peer {

// What all callers' services share; outlives them.
struct ServiceRoom {
  Mailbox& mailbox;
  Calls& calls;
  StoredTasks& tasks;
};

// What all callers' calls may take together; likewise.
struct ServiceAllowances {
  explicit ServiceAllowances(const ServiceLimits& limits)
      : calls(limits.calls + limits.other_calls), reply_bytes(limits.reply_bytes) {}
  Allowance calls;
  Allowance reply_bytes;
};

// Every method gets bytes, not messages: a request that cannot be read is answered by us.
template <class Base>
using ByteMethods = dfdaemon::v2::DfdaemonDownload::WithRawCallbackMethod_DownloadTask<
    dfdaemon::v2::DfdaemonDownload::WithRawCallbackMethod_StatTask<
        dfdaemon::v2::DfdaemonDownload::WithRawCallbackMethod_StatLocalTask<
            dfdaemon::v2::DfdaemonDownload::WithRawCallbackMethod_ListLocalTasks<
                dfdaemon::v2::DfdaemonDownload::WithRawCallbackMethod_DeleteTask<
                    dfdaemon::v2::DfdaemonDownload::WithRawCallbackMethod_DeleteLocalTask<
                        Base>>>>>>;

class DownloadService final : public ByteMethods<dfdaemon::v2::DfdaemonDownload::Service> {
 public:
  DownloadService(const ServiceRoom& room, ServiceAllowances& allowances, Caller caller)
      : room_(room), allowances_(allowances), caller_(std::move(caller)) {}

  using Context = grpc::CallbackServerContext;
  using Bytes = grpc::ByteBuffer;
  grpc::ServerWriteReactor<Bytes>* DownloadTask(Context* context, const Bytes* request) override;
  grpc::ServerUnaryReactor* StatTask(Context* context, const Bytes* request, Bytes* reply) override;
  grpc::ServerUnaryReactor* StatLocalTask(Context* context, const Bytes* request,
                                          Bytes* reply) override;
  grpc::ServerUnaryReactor* ListLocalTasks(Context* context, const Bytes* request,
                                           Bytes* reply) override;
  grpc::ServerUnaryReactor* DeleteTask(Context* context, const Bytes* request,
                                       Bytes* reply) override;
  grpc::ServerUnaryReactor* DeleteLocalTask(Context* context, const Bytes* request,
                                            Bytes* reply) override;

  // Where no call is open: none reaches the loop any more, so gRPC's server can be shut down there.
  bool close() { return open_calls_.close(); }

 private:
  std::optional<OpenCall> open_call();
  template <class Request, class Answer>
  grpc::ServerUnaryReactor* answer_on_loop(Context* context, const Bytes* request, Bytes* reply,
                                           Answer answer);

  const ServiceRoom room_;
  ServiceAllowances& allowances_;
  Allowance open_calls_{std::numeric_limits<std::size_t>::max()};
  const Caller caller_;
};

}  // namespace perch::peer
