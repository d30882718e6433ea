// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/origin_answer.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace perch::peer {
namespace {

constexpr std::size_t kMaxHeaders = 64;
// These describe the data; the rest describes the answer.
constexpr std::array<std::string_view, 4> kKept{"content-encoding", "content-type", "etag",
                                                "last-modified"};

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// Takes a number from the front of `text`.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  return number;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

std::string_view field(const Headers& headers, const std::string& name) {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

// Chunks say where the body ends, whatever a Content-Length beside them says.
std::optional<std::uint64_t> content_length_of(const OriginAnswer& answer) {
  if (answer.headers.contains("transfer-encoding")) return std::nullopt;
  std::string_view text = field(answer.headers, "content-length");
  const auto length = take_number(text);
  return text.empty() ? length : std::nullopt;
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7f; });
}

// A manifest and a client's answer are UTF-8, which other bytes may not be: a version that can be
// neither stored nor told tells nothing.
Headers kept_headers(const Headers& headers) {
  Headers kept;
  for (const auto& [name, value] : headers) {
    if (std::ranges::find(kKept, name) != kKept.end() && is_ascii(value)) kept.emplace(name, value);
  }
  return kept;
}

// An answer to If-Range may leave out what its asker knows: a field that is missing says nothing.
// An encoding that the file did not have makes other bytes of it.
bool contradicts(const Headers& answer, const Headers& stored) {
  const auto differs = [&](const char* name) {
    return answer.contains(name) && field(answer, name) != field(stored, name);
  };
  const auto changed = [&](const char* name) { return stored.contains(name) && differs(name); };
  return changed("etag") || changed("last-modified") || differs("content-encoding");
}

Failure unavailable(std::string reason) { return {Failure::Kind::Unavailable, std::move(reason)}; }

std::optional<Failure> misfit_of_part(const OriginAnswer& answer, const Manifest& manifest,
                                      ByteRange range) {
  const std::string validator = validator_of(manifest.headers);
  if (answer.status == 200) {
    // The answer to an If-Range that no longer holds; else the origin does not heed the range.
    if (!validator.empty() && validator != validator_of(kept_headers(answer.headers)))
      return changed_file();
    return unavailable("the origin sends the whole file where a range was asked for");
  }
  const auto content = parse_content_range(field(answer.headers, "content-range"));
  if (!content || content->range.begin != range.begin || content->range.end > range.end) {
    return unavailable("the origin sends another range than was asked for");
  }
  const bool same =
      content->total == manifest.layout.length && !contradicts(answer.headers, manifest.headers);
  return same ? std::nullopt : std::optional(changed_file());
}

}  // namespace

void OriginAnswer::take_line(std::string_view line) {
  if (line.starts_with("HTTP/")) {
    *this = {};
    std::string_view rest = line.substr(std::min(line.find(' '), line.size()));
    rest = trimmed(rest);
    status = static_cast<long>(take_number(rest).value_or(0));
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || headers.size() >= kMaxHeaders) return;
  headers.insert_or_assign(lower(trimmed(line.substr(0, colon))),
                           std::string(trimmed(line.substr(colon + 1))));
}

std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!take(text, "bytes ")) return std::nullopt;
  const auto first = take_number(text);
  if (!first || !take(text, "-")) return std::nullopt;
  const auto last = take_number(text);
  if (!last || !take(text, "/")) return std::nullopt;
  const auto total = take_number(text);
  if (!total || !text.empty() || *last < *first || *last >= *total) return std::nullopt;
  return ContentRange{{*first, *last + 1}, *total};
}

std::expected<OriginFacts, Failure> facts_of(const OriginAnswer& answer) {
  const Headers kept = kept_headers(answer.headers);
  const std::string_view range = field(answer.headers, "content-range");
  // An empty file has no first byte: nginx and others answer 416 to a request for it.
  if (answer.status == 416 && range == "bytes */0") return OriginFacts{0, true, kept};
  if (answer.status == 206) {
    const auto content = parse_content_range(range);
    if (content && content->range == ByteRange{0, 1})
      return OriginFacts{content->total, true, kept};
    return std::unexpected(
        Failure{Failure::Kind::Unsupported,
                "the origin answers a range with Content-Range '" + std::string(range) + "'"});
  }
  if (answer.status != 200) return std::unexpected(refusal_of(answer));
  return OriginFacts{content_length_of(answer), false, kept};
}

std::string version_of(const Headers& headers) {
  const std::string validator = validator_of(headers);  // with the field's name in front
  return validator.empty() ? validator : validator.substr(validator.find(' ') + 1);
}

bool same_file(const Manifest& stored, const OriginFacts& now) {
  const std::string validator = validator_of(stored.headers);
  return !validator.empty() && validator == validator_of(now.headers) &&
         stored.layout.length == now.length && !contradicts(now.headers, stored.headers);
}

std::optional<Failure> misfit_of(const OriginAnswer& answer, const Manifest& manifest,
                                 std::optional<ByteRange> range) {
  if (answer.status == 412 || answer.status == 416) return changed_file();
  if (answer.status != 200 && answer.status != 206) return refusal_of(answer);
  if (range) return misfit_of_part(answer, manifest, *range);
  if (answer.status != 200) return unavailable("the origin sends a range that was not asked for");
  const auto length = content_length_of(answer);
  const bool same = (!length || length == manifest.layout.length) &&
                    !contradicts(answer.headers, manifest.headers);
  return same ? std::nullopt : std::optional(changed_file());
}

Failure refusal_of(const OriginAnswer& answer) {
  using enum Failure::Kind;
  const long status = answer.status;
  const std::string reason = "the origin answers " + std::to_string(status);
  if (status == 404 || status == 410) return {NotFound, reason};
  if (status == 401 || status == 403) return {Denied, reason};
  const bool passing = status >= 500 || status == 408 || status == 429;
  return {passing ? Unavailable : Unsupported, reason, answer.retry_after};
}

}  // namespace perch::peer
