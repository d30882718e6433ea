// SPDX-License-Identifier: Apache-2.0
// hostile_calls UID SOCKET ORIGIN PLACE COUNT: so many DownloadTask calls by another user, each
// with fields that somebody would choose to break the peer, some as bytes that are no message at
// all. PLACE has the paths that it tries to write. Prints "CODE text" for each call. The choice is
// random and the same each time.
#include <dfdaemon.pb.h>
#include <fmt/format.h>
#include <grp.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <unistd.h>

#include <cstdlib>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace {

constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
constexpr auto kMostSigned = std::numeric_limits<std::int64_t>::max();

class Hostility {
 public:
  Hostility(std::string origin, std::string place)
      : origin_(std::move(origin)), place_(std::move(place)) {}

  std::string request() {
    dfdaemon::v2::DownloadTaskRequest request;
    fill(*request.mutable_download());
    std::string bytes = request.SerializeAsString();
    // Bytes that are broken never name a server, so that none is asked.
    if (one_in(4)) {
      request.mutable_download()->set_url("none");
      bytes = broken(request.SerializeAsString());
    }
    return one_in(20) ? noise() : bytes;
  }

 private:
  bool one_in(unsigned many) { return random_() % many == 0; }
  template <class T>
  T one_of(const std::vector<T>& choices) {
    return choices[random_() % choices.size()];
  }

  void fill(common::v2::Download& download) {
    download.set_url(one_in(3) ? url() : origin_);
    if (one_in(3)) fill(*download.mutable_range());
    if (one_in(5))
      download.set_piece_length(one_of<std::uint64_t>({0, 1, 65537, 1ULL << 63U, kMost}));
    if (one_in(5)) download.set_digest(digest());
    if (one_in(6))
      download.mutable_timeout()->set_seconds(
          one_of<std::int64_t>({kMostSigned, -kMostSigned, 0, -1}));
    if (one_in(6)) download.mutable_timeout()->set_nanos(one_of<std::int32_t>({-1, 2'000'000'000}));
    if (one_in(2)) download.set_output_path(path());
    if (one_in(6)) (*download.mutable_request_header())[header()] = header();
    if (one_in(8)) download.set_type(static_cast<common::v2::TaskType>(random_() % 100));
    if (one_in(8)) download.set_priority(static_cast<common::v2::Priority>(random_() % 100));
    if (one_in(8)) download.add_filtered_query_params(header());
    if (one_in(8)) download.set_content_for_calculating_task_id("../../../etc");
    download.set_overwrite(one_in(2));
    download.set_force_hard_link(one_in(4));
    download.set_need_piece_content(one_in(2));
    download.set_prefetch(one_in(20));
    if (one_in(20)) download.mutable_hdfs();
  }

  void fill(common::v2::Range& range) {
    const std::vector<std::uint64_t> numbers{0, 1, 999, 1000, 1001, kMost / 2, kMost - 1, kMost};
    range.set_start(one_of(numbers));
    range.set_length(one_of(numbers));
  }

  std::string url() {
    return one_of<std::string>({"", "http://", "file:///etc/shadow", "gopher://127.0.0.1/",
                                "http://127.0.0.1:99999/", "http://[::1", "http://:80/",
                                origin_ + "\r\nX-Injected: 1", origin_ + std::string(1, '\0'),
                                "http://" + std::string(40'000, 'a'), origin_ + "&size=-1"});
  }

  std::string digest() {
    return one_of<std::string>({"sha256:", ":", "sha256:" + std::string(64, 'z'), "crc32:1",
                                "sha256:" + std::string(30'000, '0'),
                                "sha512:" + std::string(128, '0')});
  }

  std::string path() {
    return place_ +
           one_of<std::string>(
               {"/theirs/file", "/theirs/fifo", "/theirs/socket", "/theirs/directory",
                "/theirs/link_to_victim", "/theirs/link_to_ours/new", "/theirs/../ours/new",
                "/ours/new", "/ours/victim", "/sticky/victim", "/", "/..",
                "/theirs/" + std::string(300, 'n'), "/theirs/" + std::string(5000, '/') + "file",
                "/theirs/victim_of_ours", "/nowhere/file"}) +
           (one_in(10) ? std::string(1, '\0') : "");
  }

  std::string header() {
    return one_of<std::string>({"Host", "range", "Range", "bytes=5-1",
                                "bytes=0-99999999999999999999", "a\r\nb: c", "", "X",
                                std::string(20'000, 'h'), "content-length"});
  }

  std::string broken(std::string bytes) {
    for (int i = 0; i < 5; ++i) bytes[random_() % bytes.size()] = static_cast<char>(random_());
    return bytes.substr(0, random_() % (bytes.size() + 1));
  }

  std::string noise() {
    std::string bytes(random_() % 60'000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_());
    return bytes;
  }

  std::string origin_;
  std::string place_;
  std::mt19937_64 random_{20261122};
};

// All that a stream brings is thrown away; its end is what counts.
grpc::Status call(grpc::GenericStub& stub, const std::string& bytes) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  grpc::CompletionQueue queue;
  const auto next = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  const auto stream =
      stub.PrepareCall(&context, "/dfdaemon.v2.DfdaemonDownload/DownloadTask", &queue);
  stream->StartCall(nullptr);
  next();
  const grpc::Slice slice(bytes);
  stream->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
  next();
  grpc::ByteBuffer answer;
  do {
    stream->Read(&answer, nullptr);
  } while (next());
  grpc::Status status;
  stream->Finish(&status, nullptr);
  next();
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  const auto id = static_cast<uid_t>(std::strtoul(arguments[1], nullptr, 10));
  if (::setgroups(0, nullptr) != 0 || ::setgid(id) != 0 || ::setuid(id) != 0) return 1;
  grpc::ChannelArguments unlimited;
  unlimited.SetMaxReceiveMessageSize(-1);
  grpc::GenericStub stub(grpc::CreateCustomChannel(std::string("unix:") + arguments[2],
                                                   grpc::InsecureChannelCredentials(), unlimited));
  Hostility hostility(arguments[3], arguments[4]);
  for (long left = std::strtol(arguments[5], nullptr, 10); left > 0; --left) {
    const auto status = call(stub, hostility.request());
    fmt::print("{} {}\n", static_cast<int>(status.error_code()), status.error_message());
  }
}
