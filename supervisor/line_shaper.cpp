// SPDX-License-Identifier: Apache-2.0
#include "supervisor/line_shaper.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/value/text.h"
#include "supervisor/json_string.h"

namespace perch {

using config::CaptureFormat;

LineShaper::LineShaper(Origin origin, CaptureSettings settings)
    : origin_(std::move(origin)), settings_(settings) {}

void LineShaper::take(std::string_view& bytes, Time now, std::string& out) {
  const bool raw = settings_.format == CaptureFormat::Raw;
  const bool whole = raw && settings_.rate == 0;
  const std::size_t end = std::min(bytes.find('\n'), bytes.size() - 1);
  const std::string_view piece = whole ? bytes : bytes.substr(0, end + 1);
  bytes.remove_prefix(piece.size());
  if (raw) return take_raw(piece, now, out);
  collect(piece);
  if (piece.ends_with('\n')) end_line(now, out);
}

void LineShaper::take_raw(std::string_view piece, Time now, std::string& out) {
  // Begun in another format: its rest comes as it is.
  if (!open_.empty()) {
    out += std::exchange(open_, {});
    line_ = Line::Passes;
  }
  if (line_ == Line::None || settings_.rate == 0) line_ = admit(now) ? Line::Passes : Line::Drops;
  if (line_ == Line::Passes) out += piece;
  if (piece.ends_with('\n')) line_ = Line::None;
}

void LineShaper::collect(std::string_view piece) {
  line_ = Line::None;
  if (piece.ends_with('\n')) piece.remove_suffix(1);
  const std::size_t taken = std::min(piece.size(), kLongestLine - open_.size());
  open_ += piece.substr(0, taken);
  cut_ += piece.size() - taken;
}

void LineShaper::end_line(Time now, std::string& out) {
  const std::string line = std::exchange(open_, {});
  const std::size_t cut = std::exchange(cut_, 0);
  if (!admit(now)) return;
  const auto append = std::back_inserter(out);
  if (settings_.format == CaptureFormat::Prefix) {
    fmt::format_to(append, "{}: {}", origin_.worker, line);
    if (cut > 0) fmt::format_to(append, " [{} more bytes cut]", cut);
  } else {
    fmt::format_to(
        append, R"({{"time":"{}","worker":"{}","generation":{},"stream":"{}","message":{})",
        rfc3339(now), origin_.worker, origin_.generation, origin_.stream, json_string(line));
    if (cut > 0) fmt::format_to(append, R"(,"cut_bytes":{})", cut);
    out += '}';
  }
  out += '\n';
}

void LineShaper::finish(Time now, std::string& out) {
  if (open_.empty()) return;
  settings_.format == CaptureFormat::Raw ? take_raw("", now, out) : end_line(now, out);
}

bool LineShaper::admit(Time now) {
  if (settings_.rate == 0) return true;
  // A clock that was set back begins a new second, too.
  if (now < window_ || now - window_ >= std::chrono::seconds(1)) {
    window_ = now;
    admitted_ = 0;
  }
  if (admitted_ < settings_.rate) {
    ++admitted_;
    return true;
  }
  ++dropped_;
  return false;
}

}  // namespace perch
