// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/division.h"

#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <ranges>
#include <sstream>

#include "common/posix/file.h"
#include "supervisor/process/cgroup_file.h"

namespace perch::process {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLeaf = "perch-self";
constexpr std::string_view kOwnPrefix = "perch-";
// Switched on by the first worker with such a limit (WorkerLimits).
constexpr std::string_view kOfPids = "pids";
constexpr std::string_view kOfCpu = "cpu";
constexpr const char* kEnabledFile = "/cgroup.subtree_control";

std::vector<std::string> words_of(const std::string& file) {
  std::istringstream text(read_file(file).value_or(""));
  return {std::istream_iterator<std::string>(text), {}};
}

// Only the real root has no type (cgroup-v2.rst).
bool is_real_root(const std::string& directory) {
  return ::access((directory + "/cgroup.type").c_str(), F_OK) != 0;
}

bool has_flag(const std::string& directory, const char* attribute) {
  char value = '0';
  return ::getxattr(directory.c_str(), attribute, &value, 1) == 1 && value == '1';
}

// systemd alone writes to the cgroups it makes, but for those it has marked as given away
// (systemd's "Control Group APIs and Delegation").
Result<void> require_not_systemds(const std::string& directory) {
  const std::string name = fs::path(directory).filename();
  const bool by_systemd =
      name.ends_with(".service") || name.ends_with(".scope") || name.ends_with(".slice");
  if (!by_systemd || has_flag(directory, "user.delegate") ||
      has_flag(directory, "trusted.delegate")) {
    return {};
  }
  return refuse(directory + " is systemd's own: set Delegate=yes in the unit");
}

Result<void> require_writable(const std::string& directory) {
  for (const char* file : {"/cgroup.procs", kEnabledFile}) {
    const std::string path = directory + file;
    if (::access(path.c_str(), W_OK) == 0) continue;
    return refuse(
        fail("write to " + path).error().text() +
        ": make it writable (containerd: cgroup_writable = true for the runtime; systemd: "
        "Delegate=yes)");
  }
  return {};
}

// A process outside of our PID namespace reads as 0.
Result<void> require_alone(const std::string& directory) {
  const auto members = read_file(directory + "/cgroup.procs");
  if (!members) return std::unexpected(members.error());
  const std::string own = std::to_string(::getpid());
  for (const auto line : std::views::split(*members, '\n')) {
    const std::string_view pid(line);
    if (pid.empty() || pid == own) continue;
    return refuse("other processes live in perch's cgroup (pid " + std::string(pid) +
                  "): start perch as the container's or service's only process");
  }
  return {};
}

Result<void> require_divisible(const std::string& directory, std::string_view controller) {
  if (std::ranges::count(words_of(directory + "/cgroup.controllers"), controller) == 0) {
    return refuse(directory + " has no " + std::string(controller) + " controller");
  }
  if (auto ours = require_not_systemds(directory); !ours) return ours;
  if (auto writable = require_writable(directory); !writable) return writable;
  if (is_real_root(directory)) return {};
  if (read_file(directory + "/cgroup.type").value_or("") != "domain\n") {
    return refuse(directory + " is a threaded cgroup");
  }
  return require_alone(directory);
}

// A cgroup that somebody else made there. Where nobody can tell there may be one.
bool has_others(const std::string& directory) {
  std::error_code failed;
  for (fs::directory_iterator entry(directory, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    const bool ours = entry->path().filename().string().starts_with(kOwnPrefix);
    if (!ours && entry->is_directory(failed)) return true;
  }
  return static_cast<bool>(failed);
}

// A perch that was killed may have left this one in its leaf.
std::string divided_by_predecessor(const std::string& own) {
  const fs::path path(own);
  return path.filename() == kLeaf ? path.parent_path().string() : own;
}

}  // namespace

Result<Division> Division::make() {
  const auto own = own_unified_cgroup();
  if (!own) return refuse("no cgroup of version 2 is visible");
  return make_in(*own, "memory");
}

Result<Division> Division::make_in(const std::string& own, std::string_view controller) {
  const std::string directory = divided_by_predecessor(own);
  auto divisible = require_divisible(directory, controller);
  if (!divisible) return std::unexpected(std::move(divisible.error()));
  Division division(directory);
  // The root is everybody's: nobody is killed there, nor anything undone.
  const bool shared = is_real_root(directory);
  auto entered = shared ? Result<void>() : division.enter_leaf();
  if (!entered) return std::unexpected(std::move(entered.error()));
  remove_left_overs(directory, shared ? LeftOvers::Keep : LeftOvers::Kill);
  const auto before = words_of(directory + kEnabledFile);
  for (const std::string_view one : {controller, kOfPids, kOfCpu}) {
    if (std::ranges::count(before, one) == 0) division.ours_.emplace_back(one);
  }
  if (std::ranges::count(before, controller) == 0) {
    auto enabled = write_file(directory + kEnabledFile, "+" + std::string(controller));
    if (!enabled) return std::unexpected(std::move(enabled.error()));
  }
  return division;
}

Result<void> Division::enter_leaf() {
  auto leaf = CgroupDirectory::make_or_adopt(directory_ + "/" + std::string(kLeaf));
  if (!leaf && leaf.error().is(EWOULDBLOCK))
    return refuse("another perch has divided " + directory_);
  if (!leaf) return std::unexpected(std::move(leaf.error()));
  leaf_.emplace(*std::move(leaf));
  return write_file(leaf_->path() + "/cgroup.procs", "0");
}

MemoryGround ground_of(const Result<Division>& division) {
  if (!division) return {own_memory_cgroup(), "", division.error().text()};
  const std::string& directory = division->directory();
  return {{CgroupVersion::V2, directory, is_real_root(directory)}, directory, ""};
}

// Backwards; whatever is refused stays, and is harmless.
Division::~Division() {
  if (directory_.empty() || !leaf_) return;  // moved from; the root
  if (has_others(directory_)) return;
  const auto enabled = words_of(directory_ + kEnabledFile);
  for (const std::string& controller : ours_) {
    if (std::ranges::count(enabled, controller) == 0) continue;
    [[maybe_unused]] const auto off = write_file(directory_ + kEnabledFile, "-" + controller);
  }
  [[maybe_unused]] const auto back = write_file(directory_ + "/cgroup.procs", "0");
}

}  // namespace perch::process
