// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/call_request.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "worker/peer/store/task_id.h"

namespace perch::peer {
namespace {

using Message = common::v2::Download;

constexpr std::uint64_t kLeastPieceLength = 64U << 10U;

grpc::Status invalid(const std::string& text) { return {grpc::StatusCode::INVALID_ARGUMENT, text}; }

// The first field that asks for something this peer does not do.
const char* refused_field(const Message& message) {
  if (message.has_range()) return "range";
  if (message.type() != common::v2::STANDARD) return "type";
  if (message.disable_back_to_source()) return "disable_back_to_source";
  if (message.certificate_chain_size() > 0) {
    return "certificate_chain: certificates without a key authenticate nobody";
  }
  if (message.prefetch()) return "prefetch";
  if (message.has_object_storage()) return "object_storage";
  if (message.has_hdfs()) return "hdfs";
  if (message.has_hugging_face()) return "hugging_face";
  if (message.has_model_scope()) return "model_scope";
  return nullptr;
}

bool is_clean(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

bool is_http_url(std::string_view url) {
  return (url.starts_with("http://") || url.starts_with("https://")) && is_clean(url);
}

// Names that would change what a range request means, whatever their case.
bool is_ours(std::string_view name) {
  constexpr std::array<std::string_view, 5> kOurs{"range", "if-range", "host", "accept-encoding",
                                                  "content-length"};
  return std::ranges::any_of(kOurs, [&](std::string_view ours) {
    return std::ranges::equal(name, ours, [](char a, char b) { return (a | 0x20) == b; });
  });
}

bool is_header_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return c > ' ' && c < 0x7f &&
           std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos;
  });
}

// Why a value makes no sense; an empty text when all do.
std::string senseless(const Message& message) {
  if (!is_http_url(message.url())) return "url: not an http or https URL";
  for (const auto& [name, value] : message.request_header()) {
    if (!is_header_name(name) || !is_clean(value)) return "request_header: not a header field";
    if (is_ours(name)) return "request_header: " + name + " is set by the peer itself";
  }
  if (message.has_piece_length() &&
      (message.piece_length() < kLeastPieceLength || message.piece_length() > kMaxPieceLength)) {
    return "piece_length: not between 64 KiB and 64 MiB";
  }
  if (message.force_hard_link() && message.output_path().empty()) {
    return "force_hard_link: needs output_path";
  }
  if (!is_clean(message.output_path())) return "output_path: not a path";
  return {};
}

std::chrono::nanoseconds time_of(const google::protobuf::Duration& duration) {
  // Bounded, so that no client's number overflows the arithmetic of timers.
  constexpr std::int64_t kDay = 86'400;
  return std::chrono::seconds(std::clamp<std::int64_t>(duration.seconds(), 0, kDay)) +
         std::chrono::nanoseconds(std::clamp(duration.nanos(), 0, 999'999'999));
}

DownloadSpec spec_of(const Message& message) {
  TaskKey key{message.url(),
              message.tag(),
              message.application(),
              {message.filtered_query_params().begin(), message.filtered_query_params().end()},
              {},
              {}};
  DownloadSpec spec;
  if (message.has_piece_length()) spec.piece_length = key.piece_length = message.piece_length();
  if (message.has_content_for_calculating_task_id()) {
    key.content = message.content_for_calculating_task_id();
  }
  spec.id = task_id(key);
  spec.origin = {message.url(), {message.request_header().begin(), message.request_header().end()}};
  return spec;
}

}  // namespace

std::expected<CallRequest, grpc::Status> read_request(
    const dfdaemon::v2::DownloadTaskRequest& request) {
  const Message& message = request.download();
  if (const char* field = refused_field(message)) {
    return std::unexpected(grpc::Status(grpc::StatusCode::UNIMPLEMENTED,
                                        std::string(field) + ": not supported by perch-peer"));
  }
  if (const std::string reason = senseless(message); !reason.empty()) {
    return std::unexpected(invalid(reason));
  }
  CallRequest call;
  call.download = spec_of(message);
  if (!message.digest().empty()) {
    auto digest = Digest::parse(message.digest());
    if (!digest) return std::unexpected(invalid(digest.error().text()));
    call.download.digest = std::move(*digest);
  }
  call.output_path = message.output_path();
  call.overwrite = message.overwrite() ? Overwrite::Yes : Overwrite::No;
  call.hard_link = message.force_hard_link();
  call.piece_content = message.need_piece_content();
  if (message.has_timeout()) call.timeout = time_of(message.timeout());
  return call;
}

grpc::Status status_of(const Failure& failure) {
  using Kind = Failure::Kind;
  using enum grpc::StatusCode;
  switch (failure.kind) {
    case Kind::NotFound:
      return {NOT_FOUND, failure.reason};
    case Kind::Denied:
      return {PERMISSION_DENIED, failure.reason};
    case Kind::Unsupported:
      return {FAILED_PRECONDITION, failure.reason};
    case Kind::Unavailable:
      return {UNAVAILABLE, failure.reason};
    case Kind::Changed:
      return {ABORTED, failure.reason};
    case Kind::NoSpace:
      return {RESOURCE_EXHAUSTED, failure.reason};
    case Kind::DataLoss:
      return {DATA_LOSS, failure.reason};
    case Kind::Internal:
      return {INTERNAL, failure.reason};
  }
  std::unreachable();
}

grpc::Status output_status(const Error& error) {
  using enum grpc::StatusCode;
  const std::string text = "output_path: " + error.text();
  if (error.is(EACCES) || error.is(EPERM) || error.is(EROFS)) return {PERMISSION_DENIED, text};
  if (error.is(EEXIST)) return {ALREADY_EXISTS, text};
  if (error.is(ENOENT) || error.is(ENOTDIR)) return {NOT_FOUND, text};
  if (error.is(EINVAL) || error.is(ENAMETOOLONG)) return {INVALID_ARGUMENT, text};
  if (error.is(ENOSPC) || error.is(EDQUOT)) return {RESOURCE_EXHAUSTED, text};
  return {FAILED_PRECONDITION, text};
}

}  // namespace perch::peer
