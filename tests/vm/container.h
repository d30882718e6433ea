// SPDX-License-Identifier: Apache-2.0
// Container: a memory cgroup (version 2) as Kubernetes makes them, and the command that puts perch
// into it: with Docker's capabilities, a cgroup namespace and its own /sys/fs/cgroup. It goes with
// all that is in it. Only for the guest, whose root cgroup is the test's own.
#pragma once

#include <cstdint>
#include <string>

#include "tests/support/perch_process.h"

namespace perch::test {

// How the container sees its own cgroup.
enum class CgroupAccess {
  ReadOnly,       // as by default
  GroupWritable,  // but for memory.oom.group
  Writable,       // containerd's cgroup_writable, or a privileged container
};

enum class OomGroup { Off, On };  // memory.oom.group; On since Kubernetes 1.28

enum class SysResource { Dropped, Kept };

struct ContainerSettings {
  std::uint64_t memory_max = 64U << 20U;
  OomGroup oom_group = OomGroup::On;
  CgroupAccess access = CgroupAccess::ReadOnly;
  SysResource sys_resource = SysResource::Dropped;
};

class Container {
 public:
  explicit Container(const ContainerSettings& settings = {});  // throws std::system_error
  ~Container();
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;

  // For PerchProcess.
  [[nodiscard]] Surroundings inside() const;
  [[nodiscard]] const std::string& cgroup() const noexcept { return path_; }
  // A file of its cgroup, or of one below; empty when there is none.
  [[nodiscard]] std::string read(const std::string& file) const;

 private:
  ContainerSettings settings_;
  std::string path_;
};

}  // namespace perch::test
