// SPDX-License-Identifier: Apache-2.0
// EventStream: the body of a reply that goes on: the events after a given one, and those to come,
// one line of JSON each. It keeps no event of its own: who does not read costs perch nothing, and
// is dropped once the log has let go of an event that he has not had yet. So ids have no gap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "common/http/http_message.h"
#include "supervisor/control/event_log.h"

namespace perch::control {

// Of the connections there are: others want to ask, too.
inline constexpr std::size_t kMaxFollowers = 16;

class EventStream final : public BodyStream {
 public:
  // From the oldest event kept, if `since` is older.
  EventStream(EventLog& log, std::uint64_t since);

  bool pull(std::string& into) override;
  void on_more(std::function<void()> tell) override;

 private:
  EventLog& log_;
  std::uint64_t next_;
  EventLog::Follower follower_;
};

// All there is after `since`.
std::string event_lines(const EventLog& log, std::uint64_t since);

}  // namespace perch::control
