// SPDX-License-Identifier: Apache-2.0
// What the memory of an Instance asks of it and does to it.
#include <fmt/format.h>

#include "supervisor/death_report.h"
#include "supervisor/instance.h"

namespace perch {

std::vector<pid_t> Instance::tree() const {
  if (!generation_) return {};
  return process::list_tree(
      lineage(reaped_ ? 0 : generation_->pid), around_.reaper.children(),
      [this](pid_t pid) { return around_.reaper.watches(pid) || around_.owner.is_foreign(pid); },
      around_.owner.orphans());
}

// In those it has, else in others, else in none: a worker without limits is better than none.
std::expected<Generation::Born, Generation::Stillborn> Instance::spawn_in_cgroups() {
  const auto last = statistics_.last_cause();
  for (;;) {
    auto born =
        Generation::spawn(around_.stage,
                          {.life = {.worker = name_,
                                    .generation = generations_,
                                    .last_cause = std::string(last ? lifecycle::name(*last) : ""),
                                    .oom_score_adj = around_.worker_oom_score},
                           .launch = launch_,
                           .listeners = around_.listeners.find_fresh(launch_.config.listeners),
                           .cgroup = memory_.entry()},
                          [this](const NotifyMessage& message) { on_message(message); });
    const bool refused = !born && born.error().cgroup_refused;
    if (!refused || !memory_.replace_refused(launch_.config, born.error().why)) return born;
  }
}

bool Instance::is_on_its_way_out() const {
  return std::holds_alternative<lifecycle::Draining>(state_) ||
         std::holds_alternative<lifecycle::Stopping>(state_);
}

// The kernel log may be long: the next generation has been spawned by then.
void Instance::add_victim(std::uint64_t generation) {
  const auto victim = memory_.find_victim();
  if (!victim) return;
  const std::string text = victim_text(*victim);
  statistics_.add_to_death(generation, text);
  around_.log.info("worker {}: of the end of generation {}: {}", name_, generation, text);
}

void Instance::on_memory_high(const std::string& why) {
  around_.log.info("worker {}: {}; it is replaced", name_, why);
  memory_.blame(why);
  around_.owner.on_event(*this, lifecycle::Event::MemoryHigh);
}

// One that is dead or about to end is not restarted for it.
void Instance::on_oom_in_tree(std::uint64_t kills) {
  statistics_.on_oom_in_tree(kills);
  const bool goes_on = generation_ && !reaped_ && !is_on_its_way_out();
  const bool restart = goes_on && launch_.config.on_child_oom == config::OnChildOom::Restart;
  const std::string_view otherwise = goes_on ? "goes on" : "ends anyway";
  const std::string_view fate = restart ? "is restarted" : otherwise;
  around_.journal.record(
      {.type = control::Event::Type::OomInTree,
       .worker = name_,
       .generation = generations_,
       .message = fmt::format(
           "worker {}: oom-in-tree: {} process(es) below generation {} were OOM-killed; it {}",
           name_, kills, generations_, fate)});
  if (!restart) return;
  memory_.blame(fmt::format(
      "{} process(es) below it were OOM-killed, and on_child_oom is \"restart\"", kills));
  around_.owner.on_event(*this, lifecycle::Event::ChildOomKilled);
}

}  // namespace perch
