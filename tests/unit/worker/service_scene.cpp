// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/worker/service_scene.h"

#include <grpcpp/create_channel.h>
#include <poll.h>
#include <sys/socket.h>

#include <filesystem>
#include <stdexcept>

#include "common/posix/unix_socket.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

std::string big_endian(std::uint32_t number) {
  return {static_cast<char>(number >> 24U), static_cast<char>(number >> 16U),
          static_cast<char>(number >> 8U), static_cast<char>(number)};
}

// HPACK without tables and without Huffman's code.
std::string header(std::string_view name, std::string_view value) {
  std::string field(1, '\0');
  field.append(1, static_cast<char>(name.size())).append(name);
  return field.append(1, static_cast<char>(value.size())).append(value);
}

}  // namespace

void open_to_all(const PeerWorld& world) {
  fs::permissions(fs::path(world.socket()).parent_path(), fs::perms::all);
  fs::permissions(world.socket(), fs::perms::all);
}

std::string h2_frame(char type, char flags, std::uint32_t stream, std::string_view payload) {
  return big_endian(static_cast<std::uint32_t>(payload.size())).substr(1) + type + flags +
         big_endian(stream) + std::string(payload);
}

std::string h2_greeting() {
  constexpr std::uint32_t kMostWindow = 0x7fffffff;
  const std::string window = std::string("\0\x04", 2) + big_endian(kMostWindow);
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2_frame(4, 0, 0, window) +
         h2_frame(8, 0, 0, big_endian(kMostWindow - 65535));
}

std::string h2_call(std::uint32_t stream, std::string_view method,
                    const google::protobuf::Message& message, std::string_view timeout) {
  const std::string bytes = message.SerializeAsString();
  const std::string headers =
      header(":method", "POST") + header(":scheme", "http") +
      header(":path", "/dfdaemon.v2.DfdaemonDownload/" + std::string(method)) +
      header(":authority", "localhost") + header("te", "trailers") +
      header("content-type", "application/grpc") + header("grpc-timeout", timeout);
  return h2_frame(1, 4, stream, headers) +
         h2_frame(
             0, 1, stream,
             std::string(1, '\0') + big_endian(static_cast<std::uint32_t>(bytes.size())) + bytes);
}

std::string h2_download(std::uint32_t stream, const common::v2::Download& download,
                        std::string_view timeout) {
  dfdaemon::v2::DownloadTaskRequest request;
  *request.mutable_download() = download;
  return h2_call(stream, "DownloadTask", request, timeout);
}

RawClient::RawClient(const PeerWorld& world) {
  const auto address = unix_address(world.socket());
  auto socket = unix_socket(SOCK_STREAM, Blocking::Yes);
  if (!socket || ::connect(socket->get(), address->get(), address->size) != 0) {
    throw std::runtime_error("cannot connect to " + world.socket());
  }
  socket_ = std::move(*socket);
}

void RawClient::send(std::string_view bytes) const {
  (void)::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

std::optional<std::string> RawClient::read_to_end() const {
  std::string all;
  const bool ended = wait_until([&] {
    pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    ::poll(&waiting, 1, 100);
    std::string part(64U << 10U, '\0');
    const ssize_t got = ::recv(socket_.get(), part.data(), part.size(), MSG_DONTWAIT);
    if (got < 0) return errno == ECONNRESET;
    all.append(part, 0, static_cast<std::size_t>(got));
    return got == 0;
  });
  return ended ? std::optional(all) : std::nullopt;
}

bool serves(const PeerWorld& world) {
  // An unknown task: an answer of the loop itself, not of gRPC's threads alone.
  const auto stub = dfdaemon::v2::DfdaemonDownload::NewStub(world.connect());
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
  dfdaemon::v2::StatTaskRequest request;
  request.set_task_id(std::string(64, '0'));
  common::v2::Task task;
  return stub->StatTask(&context, request, &task).error_code() == grpc::NOT_FOUND;
}

}  // namespace perch::test
