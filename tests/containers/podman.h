// SPDX-License-Identifier: Apache-2.0
// Podman: images and containers in a store of their own, built from files of this machine without
// registry or network, and run by runc. It goes with the store, with all containers in it, and with
// the cgroups that podman leaves behind.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

namespace perch::test {

class Podman {
 public:
  Podman() = default;
  ~Podman();
  Podman(const Podman&) = delete;
  Podman& operator=(const Podman&) = delete;

  struct Build {
    std::string image{};
    std::string dockerfile;                         // its text
    std::string context;                            // the directory it copies from
    std::map<std::string, std::string> contexts{};  // what its names stand for: an image here, or
                                                    // a directory
  };
  // Throws what podman said when it fails.
  void build(const Build& wanted) const;

  struct Run {
    std::string name{};
    std::string image{};
    std::vector<std::string> options{};
    std::vector<std::string> arguments{};
  };
  // As Docker would: capabilities as by default, a root that is read-only, a limit of memory.
  [[nodiscard]] std::vector<std::string> run_command(const Run& wanted) const;
  // podman with these arguments.
  [[nodiscard]] std::vector<std::string> command(const std::vector<std::string>& arguments) const;

 private:
  TemporaryDirectory directory_;
};

inline constexpr const char* kMemoryLimit = "64m";

}  // namespace perch::test
