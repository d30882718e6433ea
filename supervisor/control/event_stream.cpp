// SPDX-License-Identifier: Apache-2.0
#include "supervisor/control/event_stream.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace perch::control {
namespace {

// More waits in the log until this much has been taken.
constexpr std::size_t kChunk = 16U << 10U;

std::uint64_t first_after(const EventLog& log, std::uint64_t since) {
  return std::max(since + 1, log.first_id());
}

void append_lines(const EventLog& log, std::uint64_t& next, std::string& into, std::size_t limit) {
  for (; next <= log.last_id() && into.size() < limit; ++next) {
    into.append(to_json(log.kept()[next - log.first_id()])).append("\n");
  }
}

}  // namespace

EventStream::EventStream(EventLog& log, std::uint64_t since)
    : log_(log), next_(first_after(log, since)) {}

bool EventStream::pull(std::string& into) {
  if (next_ < log_.first_id()) return false;
  append_lines(log_, next_, into, kChunk);
  return true;
}

void EventStream::on_more(std::function<void()> tell) { follower_ = log_.follow(std::move(tell)); }

std::string event_lines(const EventLog& log, std::uint64_t since) {
  std::string lines;
  std::uint64_t next = first_after(log, since);
  append_lines(log, next, lines, std::numeric_limits<std::size_t>::max());
  return lines;
}

}  // namespace perch::control
