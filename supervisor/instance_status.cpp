// SPDX-License-Identifier: Apache-2.0
// What an Instance says of itself in the status document.
#include "supervisor/instance.h"

namespace perch {

using std::chrono::steady_clock;
using std::chrono::system_clock;

control::InstanceStatus Instance::instance_status() const {
  control::InstanceStatus status;
  status.state = lifecycle::name(state_);
  status.generation = generations_;
  if (std::holds_alternative<lifecycle::Backoff>(state_)) {
    const auto left = deadline_.remaining();
    status.next_start_in = left;
    status.next_start_at = system_clock::now() + left;
  }
  if (const auto* stopping = std::get_if<lifecycle::Stopping>(&state_)) {
    status.stuck = stopping->force == lifecycle::Force::Stuck;
  }
  if (!generation_) return status;
  status.status_text = generation_->status_text;
  if (reaped_) return status;
  status.pid = generation_->pid;
  status.started_at = generation_->born_at;
  status.uptime = steady_clock::now() - generation_->born;
  return status;
}

std::string Instance::survivors() const {
  std::string text;
  for (const pid_t pid : last_sweep_.killed) {
    text.append(text.empty() ? "" : ", ").append(process::describe(pid));
  }
  return text;
}

control::WorkerStatus Instance::status() const {
  control::WorkerStatus status;
  status.state = lifecycle::name(state_);
  const bool resting = std::holds_alternative<lifecycle::Idle>(state_) || stopped_on_request();
  status.desired = resting ? "stopped" : "running";
  status.required = launch_.config.required;
  status.ready = std::holds_alternative<lifecycle::Ready>(state_);
  status.listeners = launch_.config.listeners;
  status.since = since_;
  status.consecutive_failures = decision_.failures;
  const bool stable =
      generation_ && generation_->ready_at &&
      steady_clock::now() - *generation_->ready_at >= launch_.config.restart.stable_after;
  if (stable) status.consecutive_failures = 0;
  statistics_.describe(status);
  if (launch_.filter) {
    status.intercept =
        intercepted_.with(generation_ ? generation_->intercepted() : handover::InterceptCounts());
  }
  status.memory = memory_.figures();
  status.instances.push_back(instance_status());
  return status;
}

}  // namespace perch
