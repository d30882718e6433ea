// SPDX-License-Identifier: Apache-2.0
// perch-peer stat, ls and rm: what a peer has stored, and letting go of it. A task is named by its
// id, by an unmistakable beginning of it, or by its URL (and tag, which is part of what it is).
#pragma once

#include <string>

#include "worker/peer/client/connection.h"

namespace perch::peer {

enum class Format { People, Json };

struct TaskOptions {
  PeerAddress peer{};
  std::string task;  // for stat and rm
  std::string tag;
  Format format = Format::People;
};

// Each says on stderr what goes wrong, in one line.
ExitCode stat_task(const TaskOptions& options);
ExitCode list_tasks(const TaskOptions& options);
ExitCode remove_task(const TaskOptions& options);

}  // namespace perch::peer
