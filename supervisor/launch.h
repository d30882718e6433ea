// SPDX-License-Identifier: Apache-2.0
// Launch: a worker's configuration resolved against this system once (accounts, capabilities,
// limits), so that a respawn reads no file and cannot find a new mistake; and from it the request
// for one generation.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/value/error.h"
#include "supervisor/config/schema.h"
#include "supervisor/handover/intercept_filter.h"
#include "supervisor/log.h"
#include "supervisor/process/spawn.h"

namespace perch {

struct Launch {
  config::WorkerConfig config;
  uid_t uid = 0;  // who the worker runs as
  std::optional<process::Identity> identity;
  process::CapabilityPlan capabilities;
  std::vector<process::ResourceLimit> limits;
  std::vector<std::string> environment;  // perch's own and the configured, without the generation's
  // For intercept alone.
  std::optional<handover::InterceptFilter> filter;
  bool no_new_privs = false;        // or the kernel would take no filter from perch
  std::set<std::string> with_mode;  // the listeners whose mode the worker does not change
};

// `inherited_nofile` is what perch was started with, before it raised its own limit. The error
// names the key and the remedy; what will not be as configured is logged.
Result<Launch> resolve_launch(const std::string& worker, const config::Config& config,
                              const rlimit& inherited_nofile, Log& log);

struct LifeFacts {
  std::string worker;
  std::uint64_t generation = 0;
  std::string last_cause;  // empty: none yet
  int oom_score_adj = 0;
};

// Without descriptors and hand-over, which handover::prepare adds.
process::SpawnRequest request_of(const Launch& launch, const LifeFacts& life);

// "PERCH_GENERATION=app/3"
std::string generation_tag(const std::string& worker, std::uint64_t generation);

}  // namespace perch
