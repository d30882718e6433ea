// SPDX-License-Identifier: Apache-2.0
// DownloadService: dfdaemon.v2.DfdaemonDownload for the connections of one caller. A gRPC call does
// not tell which connection it came by, so who calls is a property of the service object, not of
// the call: there is one for each caller (ServerPool). Its methods run on gRPC's threads, read the
// request and post it to the loop.
#pragma once

#include <dfdaemon.grpc.pb.h>

#include "worker/peer/service/calls.h"
#include "worker/peer/service/mailbox.h"
#include "worker/peer/service/stored_tasks.h"

namespace perch::peer {

// What all callers' services share; outlives them.
struct ServiceRoom {
  Mailbox& mailbox;
  Calls& calls;
  StoredTasks& tasks;
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
  DownloadService(const ServiceRoom& room, Caller caller)
      : room_(room), caller_(std::move(caller)) {}

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

 private:
  template <class Request, class Answer>
  grpc::ServerUnaryReactor* answer_on_loop(Context* context, const Bytes* request, Bytes* reply,
                                           Answer answer);

  const ServiceRoom room_;
  const Caller caller_;
};

}  // namespace perch::peer
