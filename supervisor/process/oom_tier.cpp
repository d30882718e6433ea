// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/oom_tier.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "common/posix/file.h"
#include "supervisor/process/capability_set.h"
#include "supervisor/process/memory_evidence.h"

namespace perch::process {
namespace {

// proc(5): the range of oom_score_adj.
constexpr int kNeverKilled = -1000;
constexpr int kKilledFirst = 1000;
constexpr int kWorkerRaise = 500;
constexpr auto kOwnScoreFile = "/proc/self/oom_score_adj";

constexpr std::string_view kAddCapability =
    "run perch as root with CAP_SYS_RESOURCE (in Kubernetes: securityContext.capabilities.add "
    "SYS_RESOURCE, and runAsUser 0)";
constexpr std::string_view kOnePerKill = "an OOM kill takes one process";

std::string group_file(const MemoryCgroup& cgroup) {
  return cgroup.directory + "/memory.oom.group";
}

OomTier tier_of(const OomFacts& facts, bool clears_group, bool spared) {
  if (facts.workers_apart) return OomTier::A;
  if (clears_group) return OomTier::A0;
  if (spared) return OomTier::B;
  if (facts.has_keeper) return OomTier::K;
  switch (facts.group) {
    case OomGroup::Absent:
    case OomGroup::Off:
      return OomTier::C;
    case OomGroup::On:
    case OomGroup::Unknown:
      return OomTier::D;
  }
  return OomTier::D;
}

std::string better(std::string_view what) { return std::string("; better: ").append(what); }

// At the container's own limit, which several workers can reach together, the rest of the
// protection has to hold.
std::string detail_a(const OomFacts& facts, bool clears_group, bool spared) {
  const std::string text =
      "each worker has a cgroup of its own: an OOM kill at its limit takes that worker";
  if (spared) return text + ", and none takes perch (oom_score_adj -1000)";
  if (facts.group == OomGroup::On && !clears_group) {
    return text +
           "; at the container's own limit, which workers reach first whose limits add up to more, "
           "memory.oom.group is 1 and takes perch as well" +
           better(kAddCapability);
  }
  return text + "; at the container's own limit it takes one process" + better(kAddCapability);
}

std::string detail_a0(bool spared) {
  std::string text = "memory.oom.group was 1 and is 0 now, so ";
  text.append(kOnePerKill);
  if (spared) return text.append(", and never perch (oom_score_adj -1000)");
  return text.append(", the worker by its raised oom_score_adj") + better(kAddCapability);
}

std::string detail_b(const OomFacts& facts) {
  std::string text = facts.score_at_start == kNeverKilled
                         ? "oom_score_adj was -1000 at start"
                         : "CAP_SYS_RESOURCE allows oom_score_adj -1000";
  text += ", so no OOM kill takes perch";
  if (facts.group != OomGroup::On) return text;
  return text + "; memory.oom.group is 1, so one takes all workers at once" +
         better("set singleProcessOOMKill: true in the kubelet's configuration");
}

std::string detail_k(const OomFacts& facts) {
  std::string text =
      "the keeper holds the listeners, so that clients wait while perch is started "
      "again after an OOM kill";
  if (facts.group == OomGroup::On) text += "; memory.oom.group is 1, and one takes perch as well";
  return text + better(kAddCapability);
}

std::string detail_c(const OomFacts& facts) {
  std::string text = facts.group == OomGroup::Off ? "memory.oom.group is 0" : "no memory.oom.group";
  text.append(": ").append(kOnePerKill);
  text += ", the worker by its raised oom_score_adj unless perch is the larger one by far";
  return text + better(kAddCapability);
}

std::string detail_d(const OomFacts& facts) {
  std::string text = facts.group == OomGroup::On
                         ? "memory.oom.group is 1 and cannot be changed from here: an OOM kill of "
                           "the worker takes perch with it"
                         : "no memory cgroup is visible: whether an OOM kill takes perch with the "
                           "worker is unknown, and OOM kills cannot be told from other SIGKILLs";
  text += better(kAddCapability);
  if (facts.group != OomGroup::On) return text + ", and mount /sys/fs/cgroup";
  return text +
         ", or set singleProcessOOMKill: true in the kubelet's configuration, or have a "
         "keeper (perch keep)";
}

std::string detail_of(const OomFacts& facts, OomTier tier, bool clears_group, bool spared) {
  switch (tier) {
    case OomTier::A:
      return detail_a(facts, clears_group, spared);
    case OomTier::A0:
      return detail_a0(spared);
    case OomTier::B:
      return detail_b(facts);
    case OomTier::K:
      return detail_k(facts);
    case OomTier::C:
      return detail_c(facts);
    case OomTier::D:
      return detail_d(facts);
  }
  return {};
}

std::string why_not_apart(const OomFacts& facts) {
  if (facts.workers_apart || facts.not_apart.empty()) return {};
  return "; workers have no cgroups of their own: " + facts.not_apart;
}

OomGroup group_of(const MemoryCgroup& cgroup) {
  if (cgroup.version == CgroupVersion::None) return OomGroup::Unknown;
  if (cgroup.version == CgroupVersion::V1 || cgroup.is_root) return OomGroup::Absent;
  if (const auto group = read_memory_evidence(cgroup).oom_group) {
    return *group ? OomGroup::On : OomGroup::Off;
  }
  const bool has_memory = ::access((cgroup.directory + "/memory.events").c_str(), F_OK) == 0;
  return has_memory ? OomGroup::Absent : OomGroup::Unknown;
}

int read_own_score() {
  const std::string text = read_file(kOwnScoreFile).value_or(std::string());
  int score = 0;
  std::from_chars(text.data(), text.data() + text.size(), score);
  return score;
}

}  // namespace

std::string_view name(OomTier tier) {
  switch (tier) {
    case OomTier::A:
      return "a";
    case OomTier::A0:
      return "a0";
    case OomTier::B:
      return "b";
    case OomTier::K:
      return "k";
    case OomTier::C:
      return "c";
    case OomTier::D:
      return "d";
  }
  return "";
}

OomPlan choose_tier(const OomFacts& facts) {
  const bool clears_group = facts.group == OomGroup::On && facts.group_writable;
  const bool already_spared = facts.score_at_start == kNeverKilled;
  const bool spared = already_spared || facts.may_lower_score;
  const OomTier tier = tier_of(facts, clears_group, spared);
  return {.facts = facts,
          .tier = tier,
          .detail = detail_of(facts, tier, clears_group, spared) + why_not_apart(facts),
          .clear_group = clears_group,
          .own_score = spared && !already_spared ? std::optional(kNeverKilled) : std::nullopt,
          .worker_score = std::min(kKilledFirst, facts.score_at_start + kWorkerRaise)};
}

OomFacts gather_oom_facts(const MemoryGround& ground) {
  const auto held = CapabilitySet::effective();
  OomFacts facts{.group = group_of(ground.container),
                 .group_writable = ::access(group_file(ground.container).c_str(), W_OK) == 0,
                 .may_lower_score = held && held->contains(kCapSysResource),
                 .score_at_start = read_own_score()};
  facts.workers_apart = !ground.divided.empty();
  if (ground.container.version == CgroupVersion::V2) facts.not_apart = ground.obstacle;
  return facts;
}

OomPlan take_oom_protection(const MemoryCgroup& cgroup, OomFacts facts) {
  for (;;) {
    OomPlan plan = choose_tier(facts);
    if (plan.clear_group && !write_file(group_file(cgroup), "0")) {
      facts.group_writable = false;
    } else if (plan.own_score && !write_file(kOwnScoreFile, std::to_string(*plan.own_score))) {
      facts.may_lower_score = false;
    } else {
      return plan;
    }
  }
}

}  // namespace perch::process
