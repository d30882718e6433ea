// SPDX-License-Identifier: Apache-2.0
// ScriptedPeer: a peer in the test's own process that answers as a test tells it to: also what a
// real one says only when it is killed at the right moment. Answers run on threads of gRPC's, so
// they use no doctest macro.
#pragma once

#include <dfdaemon.grpc.pb.h>
#include <grpcpp/server.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

namespace perch::test {

class ScriptedPeer : private dfdaemon::v2::DfdaemonDownload::Service {
 public:
  using Response = dfdaemon::v2::DownloadTaskResponse;
  // One DownloadTask call, the `number`th from 1.
  struct Call {
    int number;
    std::size_t piece_length;
    grpc::ServerContext& context;
    const common::v2::Download& download;
    grpc::ServerWriter<Response>& out;

    // False: the client is not there any more.
    bool starts(const std::string& content,
                const std::map<std::string, std::string>& headers) const;
    bool sends(const std::string& content, std::uint32_t piece) const;
    // Until the client has gone.
    grpc::Status waits() const;
  };
  using Download = std::function<grpc::Status(const Call&)>;
  using Delete = std::function<grpc::Status(int number)>;
  using List = std::function<void(grpc::ServerContext&, dfdaemon::v2::ListLocalTasksResponse&)>;

  // Listens at "peer.sock" in a directory of its own, or at another address of gRPC's.
  explicit ScriptedPeer(const std::string& address = "");
  ~ScriptedPeer() override;

  Download download;
  Delete remove;
  List list;
  std::size_t piece_length = 4;
  std::chrono::milliseconds stat_takes{0};

  [[nodiscard]] int calls() const noexcept { return calls_; }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_.path(name); }
  [[nodiscard]] std::string socket() const { return path("peer.sock"); }
  // perch-peer with these words, asking this peer.
  [[nodiscard]] Command client(const std::vector<std::string>& words) const;
  // perch-peer get of some URL to a file "here/data".
  [[nodiscard]] Command get(const std::vector<std::string>& more = {}) const;
  // What is in "here", to a client that is still at it, too.
  [[nodiscard]] std::size_t files_here() const;

 private:
  grpc::Status DownloadTask(grpc::ServerContext* context,
                            const dfdaemon::v2::DownloadTaskRequest* request,
                            grpc::ServerWriter<Response>* out) override;
  grpc::Status DeleteTask(grpc::ServerContext* context,
                          const dfdaemon::v2::DeleteTaskRequest* request,
                          google::protobuf::Empty* nothing) override;
  grpc::Status ListLocalTasks(grpc::ServerContext* context,
                              const dfdaemon::v2::ListLocalTasksRequest* request,
                              dfdaemon::v2::ListLocalTasksResponse* response) override;
  grpc::Status StatTask(grpc::ServerContext* context, const dfdaemon::v2::StatTaskRequest* request,
                        common::v2::Task* task) override;

  TemporaryDirectory directory_;
  std::atomic<int> calls_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace perch::test
