// SPDX-License-Identifier: Apache-2.0
// Nest: a version 2 cgroup of the test's own, so that concurrent runs do not see each other. It
// goes with the processes and cgroups that are left in it.
#pragma once

#include <memory>
#include <string>

namespace perch::test {

class Nest {
 public:
  // Null where there is no writable version 2 hierarchy.
  static std::unique_ptr<Nest> make();
  ~Nest();
  Nest(const Nest&) = delete;
  Nest& operator=(const Nest&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  // A cgroup in it.
  [[nodiscard]] std::string add(const std::string& name) const;

 private:
  explicit Nest(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Whether there is one; says so where not.
bool usable(const std::unique_ptr<Nest>& nest);

}  // namespace perch::test
