// SPDX-License-Identifier: Apache-2.0
#include "common/http/process_families.h"

namespace perch {

double unix_seconds(std::chrono::system_clock::time_point at) {
  const auto since_epoch = at.time_since_epoch();
  const auto whole = std::chrono::round<std::chrono::milliseconds>(since_epoch);
  return static_cast<double>(whole.count()) / 1e3;
}

void process_families(Exposition& out, std::string_view who, const ProcessFigures& own,
                      std::chrono::system_clock::time_point started_at) {
  using enum Exposition::Type;
  out.family("process_cpu_seconds_total", Counter, fmt::format("CPU time of {} itself.", who));
  out.sample({}, own.cpu_seconds);
  out.family("process_resident_memory_bytes", Gauge,
             fmt::format("Resident memory of {} itself.", who));
  out.sample({}, own.resident_bytes);
  out.family("process_virtual_memory_bytes", Gauge,
             fmt::format("Virtual memory of {} itself.", who));
  out.sample({}, own.virtual_bytes);
  out.family("process_open_fds", Gauge, fmt::format("Open descriptors of {} itself.", who));
  out.sample({}, own.open_fds);
  out.family("process_max_fds", Gauge, fmt::format("How many descriptors {} may open.", who));
  out.sample({}, own.max_fds);
  out.family("process_start_time_seconds", Gauge, fmt::format("When {} started.", who));
  out.sample({}, unix_seconds(started_at));
}

}  // namespace perch
