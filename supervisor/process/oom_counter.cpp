// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/oom_counter.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

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
  // A cgroup's file comes whole with the first read, /proc/vmstat by whole lines, a page at a time:
  // no need to ask until nothing comes.
  std::string text;
  std::array<char, 16384> page;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by pread
  for (;;) {
    const ssize_t got =
        ::pread(file_.get(), page.data(), page.size(), static_cast<off_t>(text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(source_);
    text.append(page.data(), static_cast<std::size_t>(got));
    const OomCount count = parse_oom_count(text);
    if (count.known || got == 0) return count;
  }
}

}  // namespace perch::process
