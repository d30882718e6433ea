// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/worker/peer_world.h"

#include <fcntl.h>
#include <grpcpp/create_channel.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "common/posix/file.h"
#include "common/posix/notify_message.h"
#include "common/posix/unix_socket.h"
#include "tests/support/requirement.h"
#include "worker/peer/service/own_listener.h"

namespace perch::test {
namespace {

constexpr int kChannelFd = 3;
constexpr int kProgramFd = 4;

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

UniqueFd open_program() {
  auto program = open_file(from_build("PERCH_PEER"), O_RDONLY);
  if (!program) throw std::runtime_error(program.error().text());
  return std::move(*program);
}

// By its descriptor: another user may not reach the program's path.
Command serve_command(int channel, int program, const std::vector<std::string>& options,
                      std::optional<uid_t> user) {
  std::vector<std::string> argv;
  if (user) {
    const std::string id = std::to_string(*user);
    argv = {"setpriv", "--reuid", id, "--regid", id, "--clear-groups", "--"};
  }
  argv.push_back("/proc/self/fd/" + std::to_string(kProgramFd));
  argv.emplace_back("serve");
  return {.argv = with_options(std::move(argv), options),
          .environment = {"PERCH_CHANNEL=" + std::to_string(kChannelFd)},
          .fds = {{kChannelFd, channel}, {kProgramFd, program}}};
}

// What perch does with the one listener there is.
void make_ready(RunningPeer& peer, int listener) {
  peer.hand_over("peer", {listener});
  if (!peer.says("READY", "1")) throw std::runtime_error(peer.process().err());
}

void wait_readable(int fd) {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  ::poll(&waiting, 1, static_cast<int>(kPatience.count()));
}

}  // namespace

RunningPeer::RunningPeer(const std::vector<std::string>& options, std::optional<uid_t> user)
    : RunningPeer(channel_pair(), options, user) {
  if (!says("HELLO", "1")) throw std::runtime_error("no hello: " + process_.err());
}

RunningPeer::RunningPeer(std::pair<UniqueFd, UniqueFd> channel,
                         const std::vector<std::string>& options, std::optional<uid_t> user)
    : channel_(std::move(channel.first)),
      process_(serve_command(channel.second.get(), open_program().get(), options, user)) {}

void RunningPeer::hand_over(const std::string& names, const std::vector<int>& listeners) const {
  const std::string message =
      "LISTEN_FDS=" + std::to_string(listeners.size()) + "\nLISTEN_FDNAMES=" + names + "\n";
  if (!send_datagram(channel_.get(), message, listeners)) {
    throw std::runtime_error("the listeners cannot be handed over");
  }
}

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

bool RunningPeer::has_said(std::string_view key, std::string_view value) const {
  while (const auto datagram = receive_datagram(channel_.get())) {
    if (NotifyMessage::parse(datagram->payload).says(key, value)) return true;
  }
  return false;
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
  auto running = std::make_unique<RunningPeer>(with_options(peer_options(), more));
  make_ready(*running, listener());
  return running;
}

std::unique_ptr<RunningPeer> PeerWorld::start_peer_as(uid_t user) const {
  std::filesystem::create_directory(path("store"));
  std::filesystem::permissions(path("store"), std::filesystem::perms::owner_all);
  if (::chown(path("store").c_str(), user, user) != 0) throw std::runtime_error("chown");
  auto running = std::make_unique<RunningPeer>(peer_options(), user);
  make_ready(*running, listener());
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

peer::Census PeerWorld::stored() const {
  // Looked at beside the running peer, which holds the store's lock.
  const auto tasks = peer::Directory::open(path("store/tasks"));
  if (!tasks) return {};
  peer::Census census;
  const auto ids = tasks->names();
  for (const std::string& id : *ids) {
    const auto task = peer::summary_of(*tasks, id);
    if (!task) continue;
    census.pieces += task->pieces_done;
    census.bytes += task->bytes_done;
  }
  return census;
}

Answer download(const std::shared_ptr<grpc::Channel>& channel, const common::v2::Download& request,
                std::chrono::milliseconds patience) {
  const auto stub = dfdaemon::v2::DfdaemonDownload::NewStub(channel);
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + patience);
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
