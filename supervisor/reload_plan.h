// SPDX-License-Identifier: Apache-2.0
// ReloadPlan: everything a reload needs, made before anything is touched: the new configuration,
// what differs, the workers resolved and the new listeners claimed. Dropped, it gives the claims
// back and nothing has changed.
#pragma once

#include <sys/resource.h>

#include <map>
#include <memory>
#include <string>

#include "common/value/error.h"
#include "supervisor/config/diff.h"
#include "supervisor/config/load.h"
#include "supervisor/control/http_port.h"
#include "supervisor/control/server.h"
#include "supervisor/launch.h"
#include "supervisor/listener_set.h"
#include "supervisor/log.h"

namespace perch {

// Where the configuration comes from, now and at each reload.
struct ConfigSource {
  std::string file;  // empty: the command line alone
  config::Overrides overrides;
};

struct ReloadPlan {
  config::Config wanted;
  config::Diff diff;
  std::map<std::string, Launch> launches;           // of workers added or changed
  std::map<std::string, SharedListener> listeners;  // added, or at a new path
  std::vector<std::string> kept;                    // of these, the ones that perch holds already
  control::Access access;
  std::unique_ptr<control::ControlServer> control;  // where its path changes
  std::unique_ptr<control::HttpPort> http;          // where its address changes
  [[nodiscard]] bool keeps(const SharedListener& listener) const;

  // The error is one line that names every problem.
  static Result<ReloadPlan> prepare(const ConfigSource& source, const config::Config& running,
                                    const rlimit& inherited_nofile, ListenerSet& listeners,
                                    Log& log);
};

// All problems of a configuration on one line.
std::string join_problems(const std::vector<config::Problem>& problems);

}  // namespace perch
