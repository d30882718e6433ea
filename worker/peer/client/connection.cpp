// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/connection.h"

#include <fmt/format.h>
#include <grpcpp/create_channel.h>

#include <random>
#include <thread>

#include "common/value/text.h"
#include "worker/peer/client/retry.h"

namespace perch::peer {

std::shared_ptr<grpc::Channel> channel_to(const std::string& socket) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);  // a message holds a piece
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  return grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
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
