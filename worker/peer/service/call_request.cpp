// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/service/call_request.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include "worker/peer/store/task_id.h"

namespace perch::peer {
namespace {

using Message = common::v2::Download;

constexpr std::uint64_t kLeastPieceLength = 64U << 10U;
constexpr std::size_t kMaxUrlSize = 8U << 10U;

// The first field that asks for something this peer does not do. What only speaks to a scheduler,
// to statistics or of what this peer does anyway is let pass: the higher priorities,
// need_back_to_source, is_prefetch, load_to_cache, remote_ip.
const char* refused_field(const Message& message) {
  if (message.type() != common::v2::STANDARD) return "type";
  if (message.priority() == common::v2::LEVEL1) return "priority LEVEL1";
  if (message.priority() == common::v2::LEVEL2) return "priority LEVEL2";
  if (message.disable_back_to_source()) return "disable_back_to_source";
  if (message.certificate_chain_size() > 0) {
    return "certificate_chain: certificates without a key authenticate nobody";
  }
  if (message.prefetch()) return "prefetch";
  if (message.has_object_storage()) return "object_storage";
  if (message.has_hdfs()) return "hdfs";
  if (message.has_hugging_face()) return "hugging_face";
  if (message.has_model_scope()) return "model_scope";
  if (message.has_concurrent_piece_count()) return "concurrent_piece_count";
  if (message.has_actual_piece_length()) return "actual_piece_length";
  if (message.has_actual_content_length()) return "actual_content_length";
  if (message.has_actual_piece_count()) return "actual_piece_count";
  if (message.enable_task_id_based_blob_digest()) return "enable_task_id_based_blob_digest";
  return nullptr;
}

bool is_clean(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

// As curl reads it, which is who will use it.
bool is_http_url(const std::string& url) {
  if (!url.starts_with("http://") && !url.starts_with("https://")) return false;
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parts(curl_url(), &curl_url_cleanup);
  return is_clean(url) && curl_url_set(parts.get(), CURLUPART_URL, url.c_str(), 0) == CURLUE_OK;
}

// Whatever its case; `lower` has none.
bool is_named(std::string_view name, std::string_view lower) {
  return std::ranges::equal(name, lower, [](char a, char b) { return (a | 0x20) == b; });
}

// Names that would change what our own requests mean, or the connections that they share.
bool is_ours(std::string_view name) {
  constexpr std::array<std::string_view, 12> kOurs{"if-range",
                                                   "host",
                                                   "accept-encoding",
                                                   "content-length",
                                                   "connection",
                                                   "proxy-connection",
                                                   "keep-alive",
                                                   "transfer-encoding",
                                                   "te",
                                                   "trailer",
                                                   "upgrade",
                                                   "expect"};
  return std::ranges::any_of(kOurs, [&](std::string_view ours) { return is_named(name, ours); });
}

// "bytes=A-B" or "bytes=A-".
std::optional<ByteRange> parse_range(std::string_view text) {
  constexpr std::string_view kUnit = "bytes=";
  if (!text.starts_with(kUnit)) return std::nullopt;
  const char* const end = text.data() + text.size();
  ByteRange range{0, std::numeric_limits<std::uint64_t>::max()};
  const auto first = std::from_chars(text.data() + kUnit.size(), end, range.begin);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '-') return std::nullopt;
  if (first.ptr + 1 == end) return range;
  const auto last = std::from_chars(first.ptr + 1, end, range.end);
  const bool sane = last.ec == std::errc() && last.ptr == end && range.end >= range.begin &&
                    range.end != std::numeric_limits<std::uint64_t>::max();
  if (!sane) return std::nullopt;
  range.end += 1;
  return range;
}

std::optional<ByteRange> range_of(const common::v2::Range& range) {
  const std::uint64_t end = range.start() + range.length();
  if (end <= range.start()) return std::nullopt;  // nothing, or more than 64 bits count
  return ByteRange{range.start(), end};
}

// Dragonfly's clients ask for a part by the field or, over HTTP, by a header field. Nothing
// for the whole file.
std::expected<std::optional<ByteRange>, std::string> read_range(const Message& message) {
  std::optional<ByteRange> range;
  if (message.has_range()) {
    range = range_of(message.range());
    if (!range) return std::unexpected("range: no bytes, or more than there can be");
  }
  for (const auto& [name, value] : message.request_header()) {
    if (!is_named(name, "range")) continue;
    if (range) return std::unexpected("request_header: a second range");
    range = parse_range(value);
    if (!range) return std::unexpected("request_header: Range is not bytes=FIRST-LAST");
  }
  return range;
}

bool is_header_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return c > ' ' && c < 0x7f &&
           std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos;
  });
}

// Why a value makes no sense; an empty text when all do.
std::string senseless(const Message& message) {
  if (message.url().size() > kMaxUrlSize) return "url: longer than 8 KiB";
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
  if (message.timeout().seconds() < 0 || message.timeout().nanos() < 0) return "timeout: negative";
  return {};
}

// What makes no sense for a part of a file.
const char* senseless_with_range(const Message& message) {
  if (!message.digest().empty()) return "digest: of the whole file, and only a range is wanted";
  if (message.force_hard_link())
    return "force_hard_link: the whole file, and only a range is wanted";
  return nullptr;
}

std::chrono::nanoseconds time_of(const google::protobuf::Duration& duration) {
  // Bounded, so that no client's number overflows the arithmetic of timers.
  constexpr std::int64_t kDay = 86'400;
  return std::chrono::seconds(std::min<std::int64_t>(duration.seconds(), kDay)) +
         std::chrono::nanoseconds(std::min(duration.nanos(), 999'999'999));
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
  spec.origin.url = message.url();
  for (const auto& [name, value] : message.request_header()) {
    if (!is_named(name, "range")) spec.origin.headers.emplace(name, value);
  }
  return spec;
}

std::expected<CallRequest, std::string> read(const Message& message) {
  if (std::string reason = senseless(message); !reason.empty()) return std::unexpected(reason);
  CallRequest call;
  call.download = spec_of(message);
  auto range = read_range(message);
  if (!range) return std::unexpected(std::move(range.error()));
  call.range = *range;
  if (const char* reason = senseless_with_range(message); call.range && reason != nullptr) {
    return std::unexpected(reason);
  }
  if (!message.digest().empty()) {
    auto digest = Digest::parse(message.digest());
    if (!digest) return std::unexpected(digest.error().text());
    call.download.digest = std::move(*digest);
  }
  call.output_path = message.output_path();
  call.overwrite = message.overwrite() ? Overwrite::Yes : Overwrite::No;
  call.hard_link = message.force_hard_link();
  call.piece_content = message.need_piece_content();
  if (message.has_timeout()) call.timeout = time_of(message.timeout());
  return call;
}

}  // namespace

std::expected<CallRequest, grpc::Status> read_request(
    const dfdaemon::v2::DownloadTaskRequest& request) {
  const Message& message = request.download();
  if (const char* field = refused_field(message)) {
    return std::unexpected(grpc::Status(grpc::StatusCode::UNIMPLEMENTED,
                                        std::string(field) + ": not supported by perch-peer"));
  }
  auto call = read(message);
  if (!call) {
    return std::unexpected(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, call.error()));
  }
  return std::move(*call);
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
  if (error.is(EINVAL) || error.is(ENAMETOOLONG) || error.is(EISDIR))
    return {INVALID_ARGUMENT, text};
  return {FAILED_PRECONDITION, text};
}

}  // namespace perch::peer
