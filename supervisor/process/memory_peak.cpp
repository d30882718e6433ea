// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/memory_peak.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/posix/file.h"
#include "supervisor/process/cgroup_file.h"

namespace perch::process {
namespace {

UniqueFd open_peak(const MemoryCgroup& cgroup) {
  const bool v1 = cgroup.version == CgroupVersion::V1;
  const std::string path = cgroup.directory + (v1 ? "/memory.max_usage_in_bytes" : "/memory.peak");
  auto file = open_file(path, O_RDWR);
  // Before Linux 6.12 it is read-only.
  if (!file) file = open_file(path, O_RDONLY);
  return file ? *std::move(file) : UniqueFd();
}

}  // namespace

MemoryPeak::MemoryPeak(const MemoryCgroup& cgroup) : file_(open_peak(cgroup)) {}

void MemoryPeak::begin_anew() {
  if (!is_older_) is_older_ = ::write(file_.get(), "0", 1) != 1;
}

std::optional<std::uint64_t> MemoryPeak::bytes() const {
  const auto text = file_ ? read_open_file(file_.get()) : Result<std::string>();
  return text ? plain_number(*text) : std::nullopt;
}

}  // namespace perch::process
