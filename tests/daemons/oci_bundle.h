// SPDX-License-Identifier: Apache-2.0
// OciBundle: what runc needs to run a command as PID 1 of a container as Docker makes them: its 14
// capabilities, the seccomp profile of containers-common, namespaces of its own and no network. The
// system's programs and libraries are there, read-only; so are the given paths, to be written.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

#include "tests/support/temporary_directory.h"

namespace perch::test {

class OciBundle {
 public:
  struct Contents {
    std::vector<std::string> command;
    std::vector<std::string> paths;  // the same inside
  };
  explicit OciBundle(const Contents& contents);
  ~OciBundle();  // and of the container, where one is left
  OciBundle(const OciBundle&) = delete;
  OciBundle& operator=(const OciBundle&) = delete;

  // The command that runs it until it ends; what is appended to it is ignored.
  [[nodiscard]] std::vector<std::string> run_command() const;

 private:
  [[nodiscard]] std::vector<std::string> runc(std::vector<std::string> arguments) const;
  TemporaryDirectory directory_;
};

// The capabilities that perch has in there, as /proc/PID/status shows them.
inline constexpr const char* kDockerCapabilities = "00000000a80425fb";
// From the package golang-github-containers-common.
inline constexpr const char* kSeccompProfile = "/usr/share/containers/seccomp.json";

// The part of the profile that holds on this machine for a process with these capabilities, as an
// OCI runtime wants it.
nlohmann::json oci_seccomp(const nlohmann::json& profile, const nlohmann::json& capabilities);

}  // namespace perch::test
