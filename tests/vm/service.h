// SPDX-License-Identifier: Apache-2.0
// Service: perch and a test-worker in a container, and clients outside of it. Most tests here do
// one of two things with it: let the kernel kill the worker once, and look; or many times, under
// clients that connect without pause, none of whom may be turned away.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

#include "tests/support/client_storm.h"
#include "tests/support/perch_process.h"
#include "tests/support/temporary_directory.h"
#include "tests/vm/container.h"

namespace perch::test {

inline constexpr int kKills = 20;

class Service {
 public:
  explicit Service(const ContainerSettings& settings, const AppConfig& app = {});

  [[nodiscard]] std::string api() const { return directory_.path("api.sock"); }
  [[nodiscard]] const Container& container() const noexcept { return container_; }
  [[nodiscard]] PerchProcess& perch() noexcept { return perch_; }
  // A reload with this.
  void reconfigure(const AppConfig& app);
  // The tier, which status and log have to agree on.
  [[nodiscard]] std::string tier() const;

  // The worker that answers takes memory until it is killed; the record of its death.
  nlohmann::json oom_kill();
  // kKills times, each an oom-kill, while clients are served by one and the same socket.
  void survives_oom_kills();

 private:
  TemporaryDirectory directory_;
  Container container_;
  PerchProcess perch_;
  std::uint64_t last_ = 0;
};

// Every connect was taken, and by one socket file.
void check_nobody_was_refused(const StormCounts& counts);

}  // namespace perch::test
