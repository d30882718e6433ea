// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grpcpp/create_channel.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "common/value/text.h"
#include "worker/peer/client/retry.h"

namespace perch::peer {
namespace {

// For gRPC a socket is a URI, in which many characters mean something else than in a path.
std::string target_of(const std::string& socket) {
  const bool abstract = socket.starts_with('@');
  std::string target = abstract ? "unix-abstract:" : "unix:";
  for (const char byte : socket.substr(abstract ? 1 : 0)) {
    target += fmt::format("%{:02X}", static_cast<unsigned char>(byte));
  }
  return target;
}

}  // namespace

std::shared_ptr<grpc::Channel> channel_to(const std::string& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);  // a message holds a piece
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  return grpc::CreateCustomChannel(target_of(socket), grpc::InsecureChannelCredentials(),
                                   arguments);
}

std::optional<Ending> barred_from(const std::string& socket) {
  if (socket.starts_with('@')) return std::nullopt;
  // What connect(2) asks for, without a connection.
  if (::faccessat(AT_FDCWD, socket.c_str(), W_OK, AT_EACCESS) == 0 || errno != EACCES) {
    return std::nullopt;
  }
  return Ending{ExitCode::Refused, Error::from_errno(EACCES, "connect " + socket).text()};
}

double chance() {
  static std::mt19937 generator(std::random_device{}());
  return std::uniform_real_distribution<>(0, 1)(generator);
}

Ending timed_out(const PeerAddress& address, grpc::Channel& channel, const std::string& trouble) {
  std::string text = fmt::format("not done in {} s", address.timeout_seconds);
  if (!trouble.empty()) {
    text += ": " + trouble;
  } else if (channel.GetState(false) != GRPC_CHANNEL_READY) {
    text += ": no peer answers at " + address.socket;
  }
  return {ExitCode::TimedOut, std::move(text)};
}

Connection::Connection(const PeerAddress& address)
    : address_(address),
      deadline_(address.deadline()),
      channel_(channel_to(address.socket)),
      stub_(dfdaemon::v2::DfdaemonDownload::NewStub(channel_)) {}

Ending Connection::make(const Call& call) {
  if (auto barred = barred_from(address_.socket)) return *barred;
  Backoff backoff;
  std::string trouble;
  for (;;) {
    grpc::ClientContext context;
    context.set_deadline(deadline_);
    context.set_wait_for_ready(true);
    const grpc::Status status = call(*stub_, context);
    if (status.ok()) return {};
    if (status.error_code() == grpc::NOT_FOUND) {
      return {ExitCode::NoSuchTask, printable(status.error_message())};
    }
    const auto verdict = verdict_of(status.error_code());
    if (verdict == ExitCode::TimedOut) return timed_out(address_, *channel_, trouble);
    trouble = printable(status.error_message());
    if (verdict) return {*verdict, trouble};
    const auto delay = backoff.next(chance());
    if (Clock::now() + delay >= deadline_) return timed_out(address_, *channel_, trouble);
    std::this_thread::sleep_for(delay);
  }
}

}  // namespace perch::peer
