// SPDX-License-Identifier: Apache-2.0
// Journal: what happened, told once: as a line of the log, and as an event for those who ask or
// follow on the control socket. Borrows both; they outlive it.
#pragma once

#include "supervisor/control/event_log.h"
#include "supervisor/log.h"

namespace perch {

class Journal {
 public:
  Journal(Log& log, control::EventLog& events) : log_(log), events_(events) {}

  // The event's message is the line; it reads well without the event's other fields.
  void record(control::Event event);

 private:
  Log& log_;
  control::EventLog& events_;
};

}  // namespace perch
