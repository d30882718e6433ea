// SPDX-License-Identifier: Apache-2.0
// PerchProcess: the real perch, run on a configuration that the test writes. It lives in a
// directory of the test; its control socket is perch.sock there. The configuration's text is the
// test's own, below a [perch] table that is written for it.
#pragma once

#include <nlohmann/json.hpp>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/client.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

namespace perch::test {

struct Surroundings {
  std::vector<std::string> prefix{};     // a command that runs perch, such as unshare
  std::vector<std::string> arguments{};  // after `run -c FILE`
  std::vector<std::string> environment{};
  std::map<int, int> fds{};
  std::vector<std::string> cgroups{};
};

class PerchProcess {
 public:
  PerchProcess(const TemporaryDirectory& directory, std::string_view config,
               const Surroundings& surroundings = {});

  [[nodiscard]] Process& process() noexcept { return process_; }
  [[nodiscard]] pid_t pid() const noexcept { return process_.pid(); }
  [[nodiscard]] std::string log() const { return process_.err(); }
  void write_config(std::string_view config) const;
  [[nodiscard]] const std::string& config_path() const noexcept { return config_path_; }

  [[nodiscard]] HttpAnswer request(std::string_view method, std::string_view target) const {
    return http(control_, method, target);
  }
  // The status document; an empty object while perch cannot be reached.
  [[nodiscard]] nlohmann::json status() const;
  [[nodiscard]] nlohmann::json worker(const std::string& name = "app") const;
  // The record of the death of this generation, once it is the latest; fails the test without it.
  [[nodiscard]] nlohmann::json death_of(std::uint64_t generation,
                                        const std::string& name = "app") const;
  // Every required worker is ready.
  [[nodiscard]] bool wait_ready() const;
  // The first words of the worker's state: "ready".
  [[nodiscard]] bool wait_state(const std::string& state, const std::string& name = "app") const;

 private:
  std::string config_path_;
  std::string control_;
  Process process_;
};

std::string perch_binary();
// perch with these arguments, to its end.
Finished run_perch(const std::vector<std::string>& arguments);

// The configuration most tests want: listener "api" at api.sock in `directory`, and worker "app", a
// test-worker that is restarted without delay.
struct AppConfig {
  std::string handover = "listen-fds";
  std::vector<std::string> arguments{};  // of the test-worker, after --by
  std::string listener{};                // more lines for [listeners.api]
  std::string worker{};                  // more lines for [workers.app]
  std::string restart = "delay = \"0ms\"";
};
std::string app_config(const TemporaryDirectory& directory, const AppConfig& wanted = {});
// The test-worker as the TOML array for `command`.
std::string worker_command(const std::string& handover,
                           const std::vector<std::string>& arguments = {});

}  // namespace perch::test
