// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/worker_limits.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "common/posix/file.h"

namespace perch::process {
namespace {

constexpr std::uint64_t kMiB = 1U << 20U;

// Writes values one by one and remembers what was refused. What is not configured goes back to the
// kernel's default, and may be missing.
class Writer {
 public:
  explicit Writer(std::string directory) : directory_(std::move(directory)) {}

  template <class Number>
  void set(const char* key, const char* file, std::optional<Number> value, const char* otherwise) {
    const auto written =
        write_file(directory_ + "/" + file, value ? std::to_string(*value) : otherwise);
    if (!written && value) refused_.push_back(std::string(key) + ": " + written.error().text());
  }
  void refuse(const char* key, const char* why) {
    refused_.push_back(std::string(key) + ": " + why);
  }
  std::vector<std::string> take_refused() { return std::move(refused_); }

 private:
  std::string directory_;
  std::vector<std::string> refused_;
};

// In a divided cgroup, whose Division switches it off again. Where that is refused, the file stays
// missing, and that is told.
void provide(const char* controller, const char* file, const std::string& directory) {
  const std::filesystem::path worker(directory);
  if (::access((worker / file).c_str(), F_OK) == 0) return;
  [[maybe_unused]] const auto enabled =
      write_file(worker.parent_path() / "cgroup.subtree_control", std::string("+") + controller);
}

std::vector<std::string> apply_unified(const std::string& directory, const WorkerLimits& limits) {
  if (limits.pids_max) provide("pids", "pids.max", directory);
  if (limits.cpu_weight) provide("cpu", "cpu.weight", directory);
  Writer writer(directory);
  writer.set("memory.high", "memory.high", limits.memory_high, "max");
  writer.set("memory.max", "memory.max", limits.memory_max, "max");
  writer.set("on_child_oom", "memory.oom.group",
             limits.kill_as_one ? std::optional(1) : std::nullopt, "0");
  writer.set("pids_max", "pids.max", limits.pids_max, "max");
  writer.set("cpu_weight", "cpu.weight", limits.cpu_weight, "100");
  return writer.take_refused();
}

// memory.soft_limit_in_bytes is no memory.high: it slows nobody down.
std::vector<std::string> apply_v1(const std::string& directory, const WorkerLimits& limits) {
  constexpr auto kNeedsV2 = "takes a writable cgroup of version 2";
  Writer writer(directory);
  writer.set("memory.max", "memory.limit_in_bytes", limits.memory_max, "-1");
  if (limits.memory_high) writer.refuse("memory.high", kNeedsV2);
  if (limits.pids_max) writer.refuse("pids_max", kNeedsV2);
  if (limits.cpu_weight) writer.refuse("cpu_weight", kNeedsV2);
  return writer.take_refused();
}

}  // namespace

std::uint64_t left_to_workers(std::uint64_t container) {
  const std::uint64_t reserve = std::clamp(container / 32, 4 * kMiB, 64 * kMiB);
  return container - std::min(reserve, container / 2);
}

std::vector<std::string> apply_limits(const MemoryCgroup& cgroup, const WorkerLimits& limits) {
  switch (cgroup.version) {
    case CgroupVersion::None:
      return {};
    case CgroupVersion::V1:
      return apply_v1(cgroup.directory, limits);
    case CgroupVersion::V2:
      return apply_unified(cgroup.directory, limits);
  }
  return {};
}

}  // namespace perch::process
