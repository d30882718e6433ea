// SPDX-License-Identifier: Apache-2.0
// What perch's exit codes mean. `perch --help` prints this table, and README has it.
#pragma once

#include <array>
#include <string_view>

namespace perch {

enum class ExitCode {
  Stopped = 0,
  SystemRefused = 1,
  Usage = 2,
  PathOwned = 3,
  GaveUp = 4,
  NotReady = 5,
  Unreachable = 6,
  NotDone = 7,
  Own = 125,
  CannotExec = 126,
  NotFound = 127,
};

struct ExitCodeMeaning {
  ExitCode code;
  std::string_view meaning;
};

inline constexpr std::array kExitCodes{
    ExitCodeMeaning{ExitCode::Stopped, "asked to stop; a client command succeeded"},
    ExitCodeMeaning{ExitCode::SystemRefused, "the system, or the perch that was asked, refused"},
    ExitCodeMeaning{ExitCode::Usage, "wrong usage or configuration"},
    ExitCodeMeaning{ExitCode::PathOwned,
                    "a listener's path is owned by another, at start or at the end, or no socket"},
    ExitCodeMeaning{ExitCode::GaveUp, "gave up on a worker (on_give_up = \"exit\")"},
    ExitCodeMeaning{ExitCode::NotReady, "ready: some required worker is not ready"},
    ExitCodeMeaning{ExitCode::Unreachable, "a client command: no perch answers"},
    ExitCodeMeaning{
        ExitCode::NotDone,
        "restart, stop, start: not done in time, or in vain; doctor: nothing to propose"},
    ExitCodeMeaning{ExitCode::Own, "perch's own failure, with policy \"never\""},
    ExitCodeMeaning{ExitCode::CannotExec, "the command cannot be executed"},
    ExitCodeMeaning{ExitCode::NotFound, "the command was not found"},
};

}  // namespace perch
