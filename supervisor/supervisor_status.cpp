// SPDX-License-Identifier: Apache-2.0
// What a Supervisor says of itself in the status document.
#include <unistd.h>

#include "supervisor/supervisor.h"

namespace perch {
control::Status Supervisor::status() {
  control::Status status;
  status.perch.version = PERCH_VERSION;
  status.perch.pid = ::getpid();
  status.perch.started_at = started_at_;
  status.perch.uptime = std::chrono::steady_clock::now() - started_;
  status.perch.config = source_.file;
  status.perch.reloads = reloads_;
  status.perch.oom_protection = {std::string(process::name(protection_.tier)), protection_.detail};
  status.perch.log_dropped = log_.dropped();
  status.listeners = listeners_.status();
  status.perch.process = own_process_figures();
  for (const auto& [name, instance] : instances_) status.workers[name] = instance->status();
  return status;
}

std::vector<std::string> Supervisor::not_ready() {
  std::vector<std::string> names;
  for (const auto& [name, instance] : instances_) {
    const bool ready = std::holds_alternative<lifecycle::Ready>(instance->state());
    const bool counts = instance->config().required && !retired_.contains(name);
    if (counts && !ready) names.push_back(name);
  }
  return names;
}

}  // namespace perch
