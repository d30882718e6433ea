// SPDX-License-Identifier: Apache-2.0
// Which calls the filter stops, asked of the kernel: a process makes them, the test writes down
// what arrives and lets all of it pass.
#include "supervisor/handover/intercept_filter.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "supervisor/handover/intercepted_call.h"
#include "supervisor/handover/notifications.h"
#include "tests/support/requirement.h"
#include "tests/support/wait_until.h"
#include "tests/unit/handover/filtered_process.h"
#include "tests/unit/handover/i386_call.h"

namespace perch::test {
namespace {

using handover::FilterPlan;
using handover::InterceptFilter;

std::vector<handover::Notification> stopped(const FilterPlan& plan, std::function<int()> act) {
  const auto filter = InterceptFilter::build(plan);
  REQUIRE(filter);
  FilteredProcess process(*filter, {.act = std::move(act)});
  auto notifications = handover::Notifications::open(process.take_notify());
  REQUIRE(notifications);
  process.go();
  std::vector<handover::Notification> seen;
  REQUIRE(wait_until([&] {
    while (notifications->state() == handover::Notifications::State::Waiting) {
      const auto one = notifications->receive();
      if (!one) continue;
      seen.push_back(*one);
      REQUIRE(notifications->answer(one->id, handover::Answer::by_kernel()));
    }
    return process.ending().has_value();
  }));
  REQUIRE(process.ending() == 0);
  CHECK(notifications->state() == handover::Notifications::State::Ended);
  return seen;
}

std::multiset<std::string> names(const std::vector<handover::Notification>& notifications) {
  std::multiset<std::string> found;
  for (const auto& one : notifications) found.insert(handover::name(handover::decode(one.data)));
  return found;
}

// The numbers of the calls that this architecture has.
int every_call() {
  const auto make = [](long number) { ::syscall(number, -1, 0, 0, 0, 0, 0); };
  make(SYS_bind);
  make(SYS_listen);
  make(SYS_shutdown);
  make(SYS_unlinkat);
  make(SYS_renameat2);
  make(SYS_fchmodat);
  make(452);  // fchmodat2
#if defined(SYS_unlink)
  make(SYS_unlink);
  make(SYS_rename);
  make(SYS_renameat);
  make(SYS_chmod);
#endif
  return 0;
}

std::set<std::size_t> stopped_lengths(const FilterPlan& plan) {
  std::set<std::size_t> lengths;
  const auto seen = stopped(plan, [] {
    for (long length = 0; length <= 130; ++length) ::syscall(SYS_connect, -1, 0, length);
    return 0;
  });
  for (const auto& one : seen) {
    const auto call = handover::decode(one.data);
    const auto* const connect = std::get_if<handover::call::Connect>(&call);
    REQUIRE(connect != nullptr);
    lengths.insert(connect->address.size);
  }
  return lengths;
}

std::set<std::size_t> all_but(std::set<std::size_t> missing) {
  std::set<std::size_t> lengths;
  for (std::size_t length = 0; length <= 130; ++length) {
    if (!missing.contains(length)) lengths.insert(length);
  }
  return lengths;
}

}  // namespace

TEST_CASE("calls on names and listeners are stopped, those on modes where they are guarded") {
  const auto plain = names(stopped({.probe_guard = false}, every_call));
  const auto guarded = names(stopped({.probe_guard = false, .mode_guard = true}, every_call));
#if defined(SYS_unlink)
  const std::multiset<std::string> always{"bind",   "listen", "shutdown", "unlink",
                                          "unlink", "rename", "rename",   "rename"};
  const std::size_t modes = 3;
#else
  const std::multiset<std::string> always{"bind", "listen", "shutdown", "unlink", "rename"};
  const std::size_t modes = 2;
#endif
  CHECK(plain == always);
  CHECK(guarded.count("chmod") == modes);
  CHECK(guarded.size() == always.size() + modes);
}

TEST_CASE("connects are stopped for the probe guard alone, and TCP's never") {
  CHECK(stopped_lengths({.probe_guard = false}).empty());
  CHECK(stopped_lengths({}) == all_but({16, 28}));
}

TEST_CASE("connects as long as TCP's are stopped where a listener's path makes them so") {
  CHECK(stopped_lengths({.paths = {std::string(14, 'x')}}) == all_but({28}));
  CHECK(stopped_lengths({.paths = {std::string(13, 'x')}}) == all_but({28}));
  CHECK(stopped_lengths({.paths = {std::string(26, 'x'), "@" + std::string(12, 'x')}}) ==
        all_but({}));
  CHECK(stopped_lengths({.paths = {std::string(15, 'x')}}) == all_but({16, 28}));
  CHECK(stopped_lengths({.paths = {"/long/enough/" + std::string(14, 'x')}}) == all_but({}));
  CHECK(stopped_lengths({.paths = {"/somewhere/else/" + std::string(13, 'x')}}) == all_but({28}));
}

#if defined(__x86_64__)
TEST_CASE("a 32-bit program's calls are stopped, by either way of a socket call") {
  if (!have(knows_i386_calls(), "needs a kernel that runs 32-bit programs")) return;
  const auto seen = names(stopped({.mode_guard = true}, [] {
    for (const std::uint32_t which : {2U, 3U, 4U, 13U, 1U}) i386_call(102, which, 0);
    for (const int number : {361, 362, 363, 373, 10, 15, 38, 301, 302, 306, 353, 20}) {
      i386_call(number);
    }
    return 0;
  }));
  CHECK(seen == std::multiset<std::string>{"a call", "a call", "a call", "a call", "bind",
                                           "connect", "listen", "shutdown", "unlink", "unlink",
                                           "rename", "rename", "rename", "chmod", "chmod"});
}
#endif

}  // namespace perch::test
