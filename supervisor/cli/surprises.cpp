// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/surprises.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "supervisor/config/choices.h"
#include "supervisor/config/memory_sum.h"
#include "supervisor/process/memory_cgroup.h"
#include "supervisor/process/memory_evidence.h"
#include "supervisor/process/spawn.h"

namespace perch::cli {
namespace {

using config::WorkerConfig;
using Lines = std::vector<std::string>;

bool is_directory(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool is_program(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

void check_directory(const std::string& what, const std::string& path, Lines& lines) {
  if (!path.starts_with('/')) return;  // abstract
  const std::string directory = path.substr(0, std::max<std::size_t>(1, path.rfind('/')));
  if (is_directory(directory)) return;
  lines.push_back(
      fmt::format("{}: the directory {} does not exist; make it, or mount it", what, directory));
}

// Programs are looked up as the worker's environment says.
std::string search_path(const WorkerConfig& worker) {
  const auto own = worker.environment.find("PATH");
  if (own != worker.environment.end()) return own->second;
  const char* const path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe)
  return path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
}

void check_program(const std::string& name, const WorkerConfig& worker, Lines& lines) {
  const std::string& program = worker.command.front();
  // A path relative to the worker's directory would have to be looked up there.
  if (program.contains('/') && !program.starts_with('/') && !worker.directory.empty()) return;
  const auto candidates = process::exec_candidates(program, search_path(worker));
  if (std::ranges::any_of(candidates, is_program)) return;
  lines.push_back(
      fmt::format("worker {}: {} is not an executable here{}; perch run would exit 126 "
                  "or 127",
                  name, program, program.contains('/') ? "" : ", nor in PATH"));
}

void check_rights(const std::string& name, const WorkerConfig& worker, Lines& lines) {
  const bool root =
      worker.user.empty() ? ::geteuid() == 0 : worker.user == "root" || worker.user == "0";
  if (!root || !worker.capabilities.empty()) return;
  lines.push_back(fmt::format(
      "worker {}: runs as root without any capability; to keep some, list them: capabilities = "
      "[\"cap_net_raw\"], or [\"all\"]; or set user",
      name));
}

void check_intercept_keys(const std::string& name, const WorkerConfig& worker, Lines& lines) {
  if (worker.handover == config::HandoverWay::Intercept) return;
  const WorkerConfig otherwise;
  const auto tell = [&](std::string_view key) {
    lines.push_back(fmt::format("worker {}: {} is without effect: handover is {}, not intercept",
                                name, key, config::word(worker.handover)));
  };
  if (worker.probe_guard != otherwise.probe_guard) tell("probe_guard");
  if (worker.tcp_reuse_address != otherwise.tcp_reuse_address) tell("tcp_reuse_address");
}

void check_memory(const std::string& name, const WorkerConfig& worker, Lines& lines) {
  const config::MemoryConfig& memory = worker.memory;
  if (!memory.recycle_at) return;
  const auto of_max = config::bytes_of(*memory.recycle_at, memory.max);
  if (*memory.recycle_at == config::MemoryMark(config::Percent{100}) ||
      (memory.max && of_max == memory.max)) {
    lines.push_back(
        fmt::format("worker {}: recycle_at is the limit itself, the kernel kills first; write "
                    "\"90%\" or less",
                    name));
  }
  if (worker.restart.policy == config::RestartWhen::Never) {
    lines.push_back(fmt::format(
        "worker {}: with restart.policy never, recycle_at stops it and nothing starts it anew",
        name));
  }
}

void check_worker(const std::string& name, const WorkerConfig& worker, Lines& lines) {
  if (worker.listeners.empty()) {
    lines.push_back(fmt::format("worker {}: takes no listener; perch only keeps it running", name));
  }
  if (!worker.directory.empty() && !is_directory(worker.directory)) {
    lines.push_back(
        fmt::format("worker {}: the directory {} does not exist", name, worker.directory));
  }
  check_program(name, worker, lines);
  check_rights(name, worker, lines);
  check_intercept_keys(name, worker, lines);
  check_memory(name, worker, lines);
}

void check_memory_sum(const config::Config& config, Lines& lines) {
  const auto container = process::lowest_limit(process::own_memory_cgroup());
  if (!container) return;
  auto problem = config::problem_with_memory_sum(config, *container);
  if (!problem.empty()) lines.push_back(std::move(problem));
}

}  // namespace

std::vector<std::string> surprises(const config::Config& config) {
  Lines lines;
  if (!config.perch.control_is_default) {
    check_directory("control", config.perch.control, lines);
  }
  for (const auto& [name, listener] : config.listeners) {
    check_directory("listener " + name, listener.path, lines);
  }
  for (const auto& [name, worker] : config.workers) check_worker(name, worker, lines);
  check_memory_sum(config, lines);
  return lines;
}

}  // namespace perch::cli
