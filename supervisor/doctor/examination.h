// SPDX-License-Identifier: Apache-2.0
// Examination: a command is run once under observation, from its start until it listens and has
// come to rest, then asked to stop as an init would, and looked at until it is gone. It runs as it
// would without perch: on its real paths, with perch's own rights.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/doctor/socket_call.h"
#include "supervisor/process/reaper.h"

namespace perch::doctor {

struct ExaminationPlan {
  std::vector<std::string> command;
  std::chrono::milliseconds patience{10'000};  // for it to listen
};

struct Examined {
  std::vector<SocketCall> calls;
  std::vector<std::string> spared;     // live sockets of others that it went for
  std::string blindness;               // why its calls could not be read; empty: they could
  std::optional<process::Exit> ended;  // by itself, before it was asked to
  bool had_to_be_killed = false;
};

// An Error: it could not be run or not be observed, and why.
Result<Examined> examine(const ExaminationPlan& plan);

}  // namespace perch::doctor
