// SPDX-License-Identifier: Apache-2.0
// An unprotected perch with a keeper in another container of the pod: the kill of one container's
// cgroup takes perch with its worker, and the clients wait until that container is started again.
#include <doctest/doctest.h>
#include <signal.h>

#include <memory>

#include "tests/support/client.h"
#include "tests/support/client_storm.h"
#include "tests/support/perch_process.h"
#include "tests/vm/container.h"
#include "tests/vm/service.h"

namespace perch::test {
namespace {

// Two containers that share a directory.
class Pod {
 public:
  Pod() : keeper_({.argv = keep_command(), .cgroups = side_.inside().cgroups}) {
    REQUIRE(wait_until([&] { return keeper_.err().contains("keeps sockets at"); }));
  }

  [[nodiscard]] std::string api() const { return directory_.path("api.sock"); }
  // As the kubelet starts a container anew: in a fresh cgroup.
  void start_perch() {
    perch_.reset();
    main_ = std::make_unique<Container>();
    Surroundings inside = main_->inside();
    inside.arguments = {"--keeper", socket()};
    perch_ = std::make_unique<PerchProcess>(directory_, app_config(directory_), inside);
    REQUIRE(perch_->wait_ready());
    REQUIRE(wait_until([&] { return perch_->status()["perch"]["keeper"]["listeners"] == 1; }));
  }
  PerchProcess& perch() { return *perch_; }

 private:
  [[nodiscard]] std::string socket() const { return directory_.path("keep.sock"); }
  [[nodiscard]] std::vector<std::string> keep_command() const {
    return {perch_binary(), "keep", "--socket", socket()};
  }

  TemporaryDirectory directory_;
  Container side_;
  Process keeper_;
  std::unique_ptr<Container> main_;
  std::unique_ptr<PerchProcess> perch_;
};

}  // namespace

TEST_CASE("perch dies with its worker, is started again, and no client is refused meanwhile") {
  Pod pod;
  pod.start_perch();
  CHECK(pod.perch().status()["perch"]["oom_protection"]["tier"] == "k");
  ClientStorm storm({.path = pod.api()}, 2);
  for (int i = 0; i < kKills; ++i) {
    const std::uint64_t served = storm.served();
    REQUIRE(wait_until([&] { return storm.served() > served + 5; }));
    CHECK_FALSE(ask(pod.api(), "hog"));
    REQUIRE(pod.perch().process().wait() == killed_by(SIGKILL));
    pod.start_perch();
    CHECK(pod.perch().status()["listeners"]["api"]["claimed"] == "revived");
  }
  check_nobody_was_refused(storm.stop());
}

}  // namespace perch::test
