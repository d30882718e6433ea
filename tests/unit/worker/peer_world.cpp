// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/worker/peer_world.h"

#include <grpcpp/create_channel.h>
#include <poll.h>
#include <signal.h>

#include <array>
#include <stdexcept>

#include "common/posix/notify_message.h"
#include "common/posix/unix_socket.h"
#include "tests/support/requirement.h"
#include "worker/peer/service/own_listener.h"
#include "worker/peer/store/store.h"

namespace perch::test {
namespace {

constexpr int kChannelFd = 3;

std::vector<std::string> with_options(std::vector<std::string> argv,
                                      const std::vector<std::string>& options) {
  argv.insert(argv.end(), options.begin(), options.end());
  return argv;
}

std::pair<UniqueFd, UniqueFd> channel_pair() {
  auto pair = seqpacket_pair();
  if (!pair) throw std::runtime_error(pair.error().text());
  return std::move(*pair);
}

void wait_readable(int fd) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  ::poll(&waiting, 1, static_cast<int>(kPatience.count()));
}

}  // namespace

RunningPeer::RunningPeer(int listener, const std::vector<std::string>& options)
    : RunningPeer(channel_pair(), options) {
  if (!says("HELLO", "1")) throw std::runtime_error("no hello: " + process_.err());
  hand_over("peer", listener);
}

void RunningPeer::hand_over(const std::string& name, int listener) const {
  const std::array fds{listener};
  if (!send_datagram(channel_.get(), "LISTEN_FDS=1\nLISTEN_FDNAMES=" + name + "\n", fds)) {
    throw std::runtime_error("the listener cannot be handed over");
  }
}

RunningPeer::RunningPeer(std::pair<UniqueFd, UniqueFd> channel,
                         const std::vector<std::string>& options)
    : channel_(std::move(channel.first)),
      process_({.argv = with_options({from_build("PERCH_PEER"), "serve"}, options),
                .environment = {"PERCH_CHANNEL=" + std::to_string(kChannelFd)},
                .fds = {{kChannelFd, channel.second.get()}}}) {}

void RunningPeer::say(std::string_view message) const {
  if (!send_datagram(channel_.get(), message)) throw std::runtime_error("the peer does not hear");
}

bool RunningPeer::says(std::string_view key, std::string_view value) {
  return wait_until([&] {
    wait_readable(channel_.get());
    const auto datagram = receive_datagram(channel_.get());
    return datagram && NotifyMessage::parse(datagram->payload).says(key, value);
  });
}

void RunningPeer::kill() {
  process_.signal(SIGKILL);
  process_.wait();
}

PeerWorld::PeerWorld() {
  auto listener = peer::own_listener(socket());
  if (!listener) throw std::runtime_error(listener.error().text());
  listener_ = std::move(*listener);
}

std::unique_ptr<RunningPeer> PeerWorld::start_peer(const std::vector<std::string>& more) const {
  auto running = std::make_unique<RunningPeer>(listener_.get(),
                                               with_options({"--store", path("store")}, more));
  if (!running->says("READY", "1")) throw std::runtime_error(running->process().err());
  return running;
}

std::shared_ptr<grpc::Channel> PeerWorld::connect() const {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel("unix:" + socket(), grpc::InsecureChannelCredentials(),
                                   arguments);
}

Command PeerWorld::get(const std::string& url, const std::string& output,
                       const std::vector<std::string>& more) const {
  Command command{
      .argv = {from_build("PERCH_PEER"), "get", url, "-O", output, "--socket", socket()}};
  command.argv.insert(command.argv.end(), more.begin(), more.end());
  return command;
}

std::uint64_t PeerWorld::stored_pieces() const {
  // Looked at beside the running peer, which holds the store's lock.
  const auto tasks = peer::Directory::open(path("store/tasks"));
  if (!tasks) return 0;
  std::uint64_t pieces = 0;
  const auto ids = tasks->names();
  for (const std::string& id : *ids) {
    if (const auto task = peer::summary_of(*tasks, id)) pieces += task->pieces_done;
  }
  return pieces;
}

Answer download(const std::shared_ptr<grpc::Channel>& channel,
                const common::v2::Download& request) {
  const auto stub = dfdaemon::v2::DfdaemonDownload::NewStub(channel);
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  dfdaemon::v2::DownloadTaskRequest message;
  *message.mutable_download() = request;
  const auto stream = stub->DownloadTask(&context, message);
  Answer answer;
  dfdaemon::v2::DownloadTaskResponse response;
  while (stream->Read(&response)) {
    answer.task_id = response.task_id();
    if (response.has_download_task_started_response()) {
      answer.started = response.download_task_started_response();
    } else {
      answer.pieces.push_back(response.download_piece_finished_response().piece());
    }
  }
  answer.status = stream->Finish();
  return answer;
}

}  // namespace perch::test
