// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/worker/scripted_peer.h"

#include <fmt/format.h>
#include <grpc/grpc.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <span>
#include <stdexcept>
#include <thread>

#include "tests/support/requirement.h"
#include "worker/peer/store/crc32c.h"

namespace perch::test {
namespace {

constexpr const char* kUrl = "http://origin.example/data";

}  // namespace

bool ScriptedPeer::Call::starts(const std::string& content,
                                const std::map<std::string, std::string>& headers) const {
  Response response;
  auto& started = *response.mutable_download_task_started_response();
  started.set_content_length(content.size());
  started.mutable_response_header()->insert(headers.begin(), headers.end());
  for (std::size_t at = download.range().start(); at < content.size(); at += piece_length) {
    auto& piece = *started.add_pieces();
    piece.set_number(static_cast<std::uint32_t>(at / piece_length));
    piece.set_offset(at);
    piece.set_length(std::min(piece_length, content.size() - at));
  }
  return out.Write(response);
}

bool ScriptedPeer::Call::sends(const std::string& content, std::uint32_t piece) const {
  Response response;
  auto& sent = *response.mutable_download_piece_finished_response()->mutable_piece();
  sent.set_number(piece);
  sent.set_content(content.substr(piece * piece_length, piece_length));
  const auto bytes = std::as_bytes(std::span(sent.content()));
  sent.set_digest(fmt::format("crc32c:{:08x}", peer::crc32c(bytes)));
  return out.Write(response);
}

grpc::Status ScriptedPeer::Call::waits() const {
  (void)wait_until([this] { return context.IsCancelled(); });
  return grpc::Status::CANCELLED;
}

ScriptedPeer::ScriptedPeer(const std::string& address) {
  ::grpc_init();  // one more than is given back: the last one back may cost 10 s
  std::filesystem::create_directory(path("here"));
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address.empty() ? "unix:" + socket() : address,
                           grpc::InsecureServerCredentials());
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  if (!server_) throw std::runtime_error("the scripted peer does not start");
}

ScriptedPeer::~ScriptedPeer() { server_->Shutdown(std::chrono::system_clock::now()); }

Command ScriptedPeer::client(const std::vector<std::string>& words) const {
  Command command{.argv = {from_build("PERCH_PEER")},
                  .environment = {"PERCH_PEER_SOCKET=" + socket()}};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  return command;
}

Command ScriptedPeer::get(const std::vector<std::string>& more) const {
  std::vector<std::string> words{"get", kUrl, "-O", path("here/data")};
  words.insert(words.end(), more.begin(), more.end());
  return client(words);
}

std::size_t ScriptedPeer::files_here() const {
  const auto files = std::filesystem::directory_iterator(path("here"));
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

grpc::Status ScriptedPeer::DownloadTask(grpc::ServerContext* context,
                                        const dfdaemon::v2::DownloadTaskRequest* request,
                                        grpc::ServerWriter<Response>* out) {
  return download({++calls_, piece_length, *context, request->download(), *out});
}

grpc::Status ScriptedPeer::DeleteTask(grpc::ServerContext* /*context*/,
                                      const dfdaemon::v2::DeleteTaskRequest* /*request*/,
                                      google::protobuf::Empty* /*nothing*/) {
  return remove(++calls_);
}

grpc::Status ScriptedPeer::ListLocalTasks(grpc::ServerContext* context,
                                          const dfdaemon::v2::ListLocalTasksRequest* /*request*/,
                                          dfdaemon::v2::ListLocalTasksResponse* response) {
  list(*context, *response);
  return grpc::Status::OK;
}

grpc::Status ScriptedPeer::StatTask(grpc::ServerContext* context,
                                    const dfdaemon::v2::StatTaskRequest* request,
                                    common::v2::Task* task) {
  (void)wait_until([&] { return context->IsCancelled(); }, stat_takes);
  task->set_id(request->task_id());
  task->set_url(kUrl);
  return grpc::Status::OK;
}

}  // namespace perch::test
