// SPDX-License-Identifier: Apache-2.0
// call_as UID SOCKET URL OUTPUT [hard_link]: one DownloadTask call by another user, who is in no
// group but his own. Prints the status code.
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
  request.mutable_download()->set_output_path(arguments[4]);
  request.mutable_download()->set_force_hard_link(arguments.size() > 5);
  const auto stub = dfdaemon::v2::DfdaemonDownload::NewStub(
      grpc::CreateChannel(std::string("unix:") + arguments[2], grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  const auto stream = stub->DownloadTask(&context, request);
  dfdaemon::v2::DownloadTaskResponse response;
  while (stream->Read(&response)) continue;
  std::printf("%d\n", static_cast<int>(stream->Finish().error_code()));
}
