// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/wish.h"

#include <charconv>
#include <filesystem>
#include <limits>
#include <utility>

#include "worker/peer/client/output_name.h"

namespace perch::peer {
namespace {

// A peer takes 64 KiB. Some are left for what is added later, and what stands around.
constexpr std::size_t kMaxRequestSize = 63U << 10U;

Result<void> add_headers(const std::vector<std::string>& headers, common::v2::Download& download) {
  for (const std::string& header : headers) {
    const std::size_t colon = header.find(':');
    if (colon == std::string::npos || colon == 0) {
      return refuse("--header '" + header + "' is not NAME: VALUE");
    }
    const std::size_t value = std::min(header.find_first_not_of(' ', colon + 1), header.size());
    (*download.mutable_request_header())[header.substr(0, colon)] = header.substr(value);
  }
  return {};
}

Result<void> add_range(const std::string& text, Wish& wish) {
  if (text.empty()) return {};
  const auto range = parse_range(text);
  if (!range) return std::unexpected(range.error());
  wish.range = *range;
  wish.download.mutable_range()->set_start(range->begin);
  wish.download.mutable_range()->set_length(range->size());
  return {};
}

// Whoever writes the file checks it.
Result<void> add_digest(const GetOptions& options, Wish& wish) {
  if (options.digest.empty()) return {};
  if (!options.range.empty()) return refuse("--digest is of the whole file, not of a --range");
  auto digest = Digest::parse(options.digest);
  if (!digest) return std::unexpected(std::move(digest.error()));
  if (options.output_by_peer) {
    wish.download.set_digest(options.digest);
  } else {
    wish.digest = std::move(*digest);
  }
  return {};
}

Result<void> add_output(const GetOptions& options, Wish& wish) {
  wish.output = options.output;
  if (wish.output.empty()) {
    auto name = output_name(options.url);
    if (!name) return std::unexpected(std::move(name.error()));
    wish.output = std::move(*name);
  }
  if (!options.output_by_peer) {
    wish.download.set_need_piece_content(true);
    return {};
  }
  if (wish.output == "-") return refuse("--output-by-peer writes a file, not stdout");
  std::error_code problem;
  wish.output = std::filesystem::absolute(wish.output, problem);
  if (problem) return std::unexpected(Error(problem, wish.output));
  wish.download.set_output_path(wish.output);
  wish.download.set_force_hard_link(options.hard_link);
  wish.download.set_overwrite(options.force);
  return {};
}

}  // namespace

Result<ByteRange> parse_range(const std::string& text) {
  ByteRange range;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, range.begin);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == '-') {
    const auto last = std::from_chars(first.ptr + 1, end, range.end);
    if (last.ec == std::errc() && last.ptr == end && range.begin <= range.end &&
        range.end != std::numeric_limits<std::uint64_t>::max()) {
      ++range.end;
      return range;
    }
  }
  return refuse("--range '" + text + "' is not FIRST-LAST, as in 0-499");
}

Result<Wish> read_wish(const GetOptions& options) {
  Wish wish;
  wish.download.set_url(options.url);
  if (!options.tag.empty()) wish.download.set_tag(options.tag);
  auto step = add_output(options, wish);
  if (step) step = add_digest(options, wish);
  if (step) step = add_range(options.range, wish);
  if (step) step = add_headers(options.headers, wish.download);
  if (!step) return std::unexpected(std::move(step.error()));
  if (wish.download.ByteSizeLong() > kMaxRequestSize) {
    return refuse("URL, --tag and --header are longer together than the 63 KiB that a peer takes");
  }
  return wish;
}

}  // namespace perch::peer
