// SPDX-License-Identifier: Apache-2.0
// call_as UID SOCKET URL OUTPUT [hard_link]: one DownloadTask call by another user, who is in no
// group but his own; with OUTPUT "-" the contents come in the stream. Prints the status code, how
// many bytes came, and the status' message.
#include <dfdaemon.grpc.pb.h>
#include <grp.h>
#include <grpcpp/create_channel.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <span>
#include <string_view>

int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  const auto id = static_cast<uid_t>(std::strtoul(arguments[1], nullptr, 10));
  if (::setgroups(0, nullptr) != 0 || ::setgid(id) != 0 || ::setuid(id) != 0) return 1;

  dfdaemon::v2::DownloadTaskRequest request;
  request.mutable_download()->set_url(arguments[3]);
  const bool streams = std::string_view(arguments[4]) == "-";
  if (!streams) request.mutable_download()->set_output_path(arguments[4]);
  request.mutable_download()->set_need_piece_content(streams);
  request.mutable_download()->set_force_hard_link(arguments.size() > 5);
  const auto stub = dfdaemon::v2::DfdaemonDownload::NewStub(
      grpc::CreateChannel(std::string("unix:") + arguments[2], grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  const auto stream = stub->DownloadTask(&context, request);
  dfdaemon::v2::DownloadTaskResponse response;
  std::size_t bytes = 0;
  while (stream->Read(&response)) {
    bytes += response.download_piece_finished_response().piece().content().size();
  }
  const grpc::Status status = stream->Finish();
  std::printf("%d %zu bytes%s%s\n", static_cast<int>(status.error_code()), bytes,
              status.ok() ? "" : ": ", status.error_message().c_str());
}
