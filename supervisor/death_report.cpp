// SPDX-License-Identifier: Apache-2.0
#include "supervisor/death_report.h"

#include <fmt/format.h>

#include <cstring>

#include "common/value/human.h"

namespace perch {
namespace {

std::string end_text(const process::Exit& exit) {
  if (!exit.by_signal) return fmt::format("exit status {}", exit.status);
  const char* name = ::sigabbrev_np(exit.status);
  return fmt::format("signal {}{}{}{}", exit.status, name != nullptr ? " SIG" : "",
                     name != nullptr ? name : "", exit.core_dumped ? ", core dumped" : "");
}

std::string memory_text(const process::MemoryEvidence& memory) {
  std::string text;
  if (memory.peak_bytes) {
    text += memory.peak_is_older ? ", peak of all generations " : ", peak ";
    text += human_bytes(*memory.peak_bytes);
  }
  if (memory.limit_bytes) text += ", limit " + human_bytes(*memory.limit_bytes);
  return text;
}

bool was_for_its_memory(lifecycle::StopReason reason) {
  return reason == lifecycle::StopReason::MemoryHigh || reason == lifecycle::StopReason::ChildOom;
}

}  // namespace

control::DeathRecord report_death(const DeathFacts& facts) {
  control::DeathRecord record;
  record.cause = lifecycle::classify({.stopped_by_us = facts.stop_reason,
                                      .by_signal = facts.exit.by_signal,
                                      .status = facts.exit.status,
                                      .oom_counter_grew = facts.oom_evidence.has_value()});
  (facts.exit.by_signal ? record.signal : record.status) = facts.exit.status;
  record.detail = end_text(facts.exit);
  if (facts.oom_evidence) record.detail += "; " + *facts.oom_evidence + memory_text(facts.memory);
  if (was_for_its_memory(facts.stop_reason)) record.detail += "; " + facts.why_ended;
  if (!facts.errno_text.empty()) record.detail += "; it said: " + facts.errno_text;
  record.memory_peak_bytes = facts.memory.peak_bytes;
  record.memory_limit_bytes = facts.memory.limit_bytes;
  record.max_rss_bytes = facts.exit.max_rss_bytes;
  return record;
}

std::string victim_text(const process::OomVictim& victim) {
  const bool machine = victim.scope == process::OomVictim::Scope::Machine;
  return fmt::format("{}the kernel log: {}", machine ? "the whole machine was out of memory; " : "",
                     victim.line);
}

}  // namespace perch
