// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>

#include "supervisor/process/capability_drop.h"
#include "supervisor/process/capability_set.h"
#include "tests/support/requirement.h"
#include "tests/unit/process/in_child.h"

using namespace perch;
using namespace perch::process;

namespace {

constexpr uid_t kNobody = 65534;

CapabilityPlan plan_for(const std::vector<std::string>& names) {
  auto plan = CapabilityPlan::make(names);
  REQUIRE_MESSAGE(plan.has_value(), (plan ? "" : plan.error().text()));
  return *plan;
}

void change_identity(uid_t uid) {
  if (uid == 0) return;
  ::syscall(SYS_setgroups, 0, nullptr);
  ::syscall(SYS_setresgid, uid, uid, uid);
  ::syscall(SYS_setresuid, uid, uid, uid);
}

void exec_cat_status() {
  ::execl("/bin/cat", "cat", "/proc/self/status", static_cast<char*>(nullptr));
}

// /proc/self/status of a plain program that a child limited by the plan has executed.
std::string status_after_exec(const CapabilityPlan& plan, uid_t uid) {
  return test::in_child([&] {
    if (before_identity_change(plan) != 0) return;
    change_identity(uid);
    if (after_identity_change(plan) != 0) return;
    exec_cat_status();
  });
}

std::uint64_t field(const std::string& status, std::string_view name) {
  const std::size_t at = status.find(name);
  REQUIRE_MESSAGE(at != std::string::npos, "no " << name << " in: " << status);
  return std::stoull(status.substr(at + name.size()), nullptr, 16);
}

void check_exactly(const std::string& status, CapabilitySet kept) {
  for (const char* name : {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"}) {
    CAPTURE(name);
    CHECK(field(status, name) == kept.bits());
  }
}

// A child that has everything but CAP_SETPCAP cannot lower its bounding set.
void give_up_setpcap() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> data{};
  ::syscall(SYS_capget, &header, data.data());
  data[0].permitted &= ~(1U << CAP_SETPCAP);
  data[0].effective = data[0].permitted;
  ::syscall(SYS_capset, &header, data.data());
}

}  // namespace

TEST_CASE("every capability has its name and its number") {
  for (int number = 0; number <= kLastCapability; ++number) {
    CHECK(capability_number(capability_name(number)) == number);
  }
  CHECK(capability_name(CAP_NET_BIND_SERVICE) == "cap_net_bind_service");
  CHECK(capability_number("CAP_NET_RAW") == CAP_NET_RAW);
  CHECK(capability_number("NET_RAW") == CAP_NET_RAW);
  CHECK_FALSE(capability_number("cap_net_rav").has_value());
  CHECK_FALSE(capability_number("").has_value());
  CHECK_FALSE(capability_number("cap_").has_value());
}

TEST_CASE("names become a set and a set its names") {
  const auto set = CapabilitySet::parse({"SYS_PTRACE", "cap_chown", "cap_chown"});
  REQUIRE(set.has_value());
  CHECK((set->names() == std::vector<std::string>{"cap_chown", "cap_sys_ptrace"}));
  const auto unknown = CapabilitySet::parse({"cap_chown", "cap_fly"});
  REQUIRE_FALSE(unknown.has_value());
  CHECK(unknown.error().text() ==
        "capability \"cap_fly\": unknown; see capabilities(7) for the names");
}

TEST_CASE("a plan keeps what we have and names what we lack") {
  const auto permitted = CapabilitySet::permitted();
  const auto bounding = CapabilitySet::bounding();
  REQUIRE((permitted && bounding));
  const CapabilityPlan plan = plan_for({"cap_chown", "cap_sys_resource"});
  const auto asked = CapabilitySet::of(CAP_CHOWN) | CapabilitySet::of(CAP_SYS_RESOURCE);
  CHECK((plan.kept == (asked & *permitted & *bounding)));
  CHECK((plan.missing == asked.without(*permitted & *bounding)));
  CHECK_FALSE(CapabilityPlan::make({"cap_fly"}).has_value());
}

TEST_CASE("with nothing kept a worker has nothing, as root and as another user") {
  if (!test::have(test::is_root(), "needs root: capabilities to drop")) return;
  const CapabilityPlan plan = plan_for({});
  check_exactly(status_after_exec(plan, 0), {});
  check_exactly(status_after_exec(plan, kNobody), {});
}

TEST_CASE("with some kept a worker has exactly those, as root and as another user") {
  if (!test::have(test::is_root(), "needs root: capabilities to drop")) return;
  const CapabilityPlan one = plan_for({"cap_net_bind_service"});
  check_exactly(status_after_exec(one, 0), CapabilitySet::of(CAP_NET_BIND_SERVICE));
  check_exactly(status_after_exec(one, kNobody), CapabilitySet::of(CAP_NET_BIND_SERVICE));
  const CapabilityPlan two = plan_for({"cap_kill", "cap_audit_write"});
  check_exactly(status_after_exec(two, kNobody), two.kept);
}

TEST_CASE("with all kept root is untouched and another user has what perch had") {
  if (!test::have(test::is_root(), "needs root: capabilities to keep")) return;
  const CapabilityPlan plan = plan_for({"all"});
  const std::string untouched = test::in_child(exec_cat_status);
  const std::string as_root = status_after_exec(plan, 0);
  for (const char* name : {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"}) {
    CHECK(field(as_root, name) == field(untouched, name));
  }
  const std::string as_nobody = status_after_exec(plan, kNobody);
  CHECK(field(as_nobody, "CapEff:") == plan.kept.bits());
  CHECK(field(as_nobody, "CapBnd:") == field(untouched, "CapBnd:"));
}

TEST_CASE("a worker cannot regain what it lost") {
  if (!test::have(test::is_root(), "needs root: capabilities to drop")) return;
  const CapabilityPlan plan = plan_for({"cap_setuid"});
  // From nobody back to root: exec as uid 0 grants the bounding set, which was lowered.
  const std::string status = test::in_child([&] {
    if (before_identity_change(plan) != 0) return;
    change_identity(kNobody);
    if (after_identity_change(plan) != 0) return;
    if (::syscall(SYS_setresuid, 0, 0, 0) != 0) return;
    exec_cat_status();
  });
  CHECK(field(status, "CapEff:") == plan.kept.bits());
}

TEST_CASE("without CAP_SETPCAP root still has exactly what is kept") {
  if (!test::have(test::is_root(), "needs root: capabilities to drop")) return;
  const CapabilityPlan plan = plan_for({"cap_chown"});
  const std::string status = test::in_child([&] {
    give_up_setpcap();
    if (before_identity_change(plan) != 0) return;
    if (after_identity_change(plan) != 0) return;
    exec_cat_status();
  });
  CHECK(field(status, "CapEff:") == plan.kept.bits());
  CHECK(field(status, "CapPrm:") == plan.kept.bits());
  CHECK(field(status, "NoNewPrivs:") == 1);
}

TEST_CASE("a user without capabilities limits its worker all the same") {
  if (!test::have(test::is_root(), "needs root: to become another user")) return;
  const std::string status = test::in_child([] {
    change_identity(kNobody);
    const auto plan = CapabilityPlan::make({"cap_chown"});
    if (!plan || !plan->kept.empty() || !plan->missing.contains(CAP_CHOWN)) return;
    if (before_identity_change(*plan) != 0 || after_identity_change(*plan) != 0) return;
    exec_cat_status();
  });
  CHECK(field(status, "CapEff:") == 0);
  CHECK(field(status, "NoNewPrivs:") == 0);
}
