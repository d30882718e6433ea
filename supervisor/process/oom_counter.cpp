// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/oom_counter.h"

#include <fcntl.h>

#include "common/posix/file.h"
#include "supervisor/process/cgroup_file.h"

namespace perch::process {
namespace {

std::string counter_path(const MemoryCgroup& cgroup) {
  if (cgroup.version == CgroupVersion::V1) return cgroup.directory + "/memory.oom_control";
  return cgroup.is_root ? "/proc/vmstat" : cgroup.directory + "/memory.events";
}

}  // namespace

OomCount parse_oom_count(std::string_view text) {
  const auto kills = keyed_number(text, "oom_kill");
  if (!kills) return {};
  return {.known = true,
          .kills = *kills,
          .group_kills = keyed_number(text, "oom_group_kill").value_or(0)};
}

OomCounter::OomCounter(UniqueFd file, std::string source) noexcept
    : file_(std::move(file)), source_(std::move(source)) {}

OomCounter OomCounter::open(const MemoryCgroup& cgroup) {
  if (cgroup.version == CgroupVersion::None)
    return {UniqueFd(), "none: no memory cgroup is visible"};
  const std::string path = counter_path(cgroup);
  auto file = open_file(path, O_RDONLY);
  if (!file) return {UniqueFd(), "none: " + file.error().text()};
  const bool whole_host = cgroup.version == CgroupVersion::V2 && cgroup.is_root;
  return {*std::move(file), whole_host ? "host: " + path : path};
}

Result<OomCount> OomCounter::read() const {
  if (!file_) return OomCount{};
  const auto text = read_open_file(file_.get());
  if (!text) return fail_within(source_, text.error());
  return parse_oom_count(*text);
}

}  // namespace perch::process
