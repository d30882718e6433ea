// SPDX-License-Identifier: Apache-2.0
// MemoryCgroup: a cgroup with a memory limit, below the test's own, on whichever hierarchy has the
// memory controller (v1 or v2). Processes enter it by writing "0" to procs(). It is removed with
// this object; by then all its processes have to be gone.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace perch::test {

class MemoryCgroup {
 public:
  // Null where there is no writable memory controller.
  static std::unique_ptr<MemoryCgroup> make(std::uint64_t limit_bytes);
  ~MemoryCgroup();
  MemoryCgroup(const MemoryCgroup&) = delete;
  MemoryCgroup& operator=(const MemoryCgroup&) = delete;

  [[nodiscard]] std::string procs() const { return path_ + "/cgroup.procs"; }
  // The file with the oom_kill line.
  [[nodiscard]] std::string oom_counter() const;
  [[nodiscard]] std::uint64_t oom_kills() const;

 private:
  explicit MemoryCgroup(std::string path) : path_(std::move(path)) {}
  bool limit(std::uint64_t bytes);
  std::string path_;
};

}  // namespace perch::test
