// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/status_table.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>

#include "common/value/text.h"
#include "supervisor/cli/status_cells.h"

namespace perch::cli {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kNameWidth = 14;
constexpr std::size_t kStateWidth = 9;

std::string keeper_line(const ordered_json& keeper) {
  if (!keeper.is_object()) return "";
  const auto& trouble = at(keeper, "trouble");
  return detail(fmt::format("keeper: {}, {}{}", cell(at(keeper, "path")),
                            at(keeper, "connected") == true
                                ? "keeps " + cell(at(keeper, "listeners")) + " listener(s)"
                                : "not connected",
                            is_said(trouble) ? ": " + cell(trouble) : ""));
}

std::string head(const ordered_json& perch) {
  const auto& config = at(perch, "config");
  const auto& reloads = at(perch, "reloads");
  std::string out = fmt::format("perch {}, pid {}, up {}\n", cell(at(perch, "version")),
                                cell(at(perch, "pid")), duration_cell(at(perch, "uptime_seconds")));
  out += detail(fmt::format("config: {}; reloads: {} ok, {} failed",
                            is_said(config) ? cell(config) : "command line only",
                            cell(at(reloads, "ok")), cell(at(reloads, "failed"))));
  if (is_said(at(reloads, "last_error"))) {
    out += detail("last refused reload: " + cell(at(reloads, "last_error")));
  }
  const auto& protection = at(perch, "oom_protection");
  out += detail(fmt::format("OOM protection: tier {}: {}", cell(at(protection, "tier")),
                            cell(at(protection, "detail"))));
  out += keeper_line(at(perch, "keeper"));
  if (is_positive(at(perch, "log_dropped"))) {
    out += detail("log lines dropped: " + cell(at(perch, "log_dropped")));
  }
  return out;
}

// A name that would push the rest out of place has a line of its own.
std::string name_cell(const std::string& name) {
  const bool fits = name.size() <= kNameWidth;
  return fits ? fmt::format("{:<{}}", name, kNameWidth)
              : fmt::format("{}\n{:<{}}", name, "", kNameWidth);
}

std::string instance_row(const std::string& name, const ordered_json& worker,
                         const ordered_json& instance, Colour colour) {
  const auto& starts = at(worker, "starts");
  const auto restarts =
      starts.is_number_unsigned() ? std::max<std::uint64_t>(starts.get<std::uint64_t>(), 1) - 1 : 0;
  const auto& own_state = at(instance, "state");
  const auto state = cell(own_state.is_string() ? own_state : at(worker, "state"));
  return fmt::format("{} {} {:<5} {:>7} {:>4} {:>8} {:>8} {:>7} {:>7}\n", name_cell(name),
                     coloured_state(state, kStateWidth, colour), cell(at(worker, "ready")),
                     cell(at(instance, "pid")), cell(at(instance, "generation")), restarts,
                     cell(at(worker, "consecutive_failures")),
                     duration_cell(at(instance, "uptime_seconds")),
                     duration_cell(at(instance, "next_start_in_seconds")));
}

std::string deaths_line(const ordered_json& worker) {
  std::string text;
  for (const auto& [cause, number] : at(worker, "deaths").items()) {
    if (!is_positive(number)) continue;
    text += fmt::format("{} {} {}", text.empty() ? "deaths:" : ",", printable(cause), cell(number));
  }
  if (is_positive(at(worker, "oom_in_tree"))) {
    text += fmt::format("{} children OOM-killed {}", text.empty() ? "survived:" : ";",
                        cell(at(worker, "oom_in_tree")));
  }
  return text.empty() ? text : detail(text);
}

std::string outage_line(const ordered_json& worker) {
  if (!at(at(worker, "outage_seconds"), "max").is_number()) return {};
  return detail("outage: " + outage_cell(worker));
}

std::string last_death_lines(const ordered_json& worker) {
  const auto& deaths = at(worker, "last_deaths");
  if (!deaths.is_array() || deaths.empty()) return {};
  const auto& death = deaths.front();
  std::string text = fmt::format("last death: {}, generation {}, {}", time_cell(at(death, "at")),
                                 cell(at(death, "generation")), cell(at(death, "cause")));
  if (is_said(at(death, "detail"))) text += ": " + cell(at(death, "detail"));
  std::string out = detail(text);
  const auto& words = at(death, "stderr_tail");
  if (words.is_array() && !words.empty()) out += detail("last words: " + cell(words.back()));
  return out;
}

std::string instance_notes(const ordered_json& instance) {
  std::string out;
  if (is_said(at(instance, "status_text"))) {
    out += detail("says: " + cell(at(instance, "status_text")));
  }
  if (at(instance, "stuck") == true) {
    out += detail("stuck: a killed process of it does not go away");
  }
  return out;
}

std::string worker_rows(const std::string& name, const ordered_json& worker, Colour colour) {
  std::string out;
  const auto& instances = at(worker, "instances");
  if (!instances.is_array() || instances.empty()) {
    out += instance_row(name, worker, {}, colour);
  } else {
    for (const auto& instance : instances) {
      out += instance_row(name, worker, instance, colour) + instance_notes(instance);
    }
  }
  return out + deaths_line(worker) + outage_line(worker) + last_death_lines(worker);
}

std::string workers(const ordered_json& named, Colour colour) {
  std::string out =
      fmt::format("\n{:<14} {:<9} {:<5} {:>7} {:>4} {:>8} {:>8} {:>7} {:>7}\n", "WORKER", "STATE",
                  "READY", "PID", "GEN", "RESTARTS", "FAILURES", "UPTIME", "NEXT IN");
  for (const auto& [name, worker] : named.items())
    out += worker_rows(printable(name), worker, colour);
  return out;
}

std::string listeners(const ordered_json& named) {
  constexpr std::string_view kRow = "{} {:<9} {:>8} {:>8} {:>6} {:<8} {}\n";
  std::string out = "\n" + fmt::format(kRow, name_cell("LISTENER"), "STATE", "QUEUED", "BACKLOG",
                                       "HEALS", "HEALABLE", "CLAIMED");
  for (const auto& [name, listener] : named.items()) {
    out += fmt::format(kRow, name_cell(printable(name)), cell(at(listener, "state")),
                       cell(at(listener, "queued")), cell(at(listener, "backlog")),
                       cell(at(listener, "heals")), cell(at(listener, "healable")),
                       cell(at(listener, "claimed")));
    out += detail(cell(at(listener, "path")) + " inode " + cell(at(listener, "inode")));
  }
  return out;
}

}  // namespace

Result<std::string> status_table(std::string_view document, Colour colour) {
  const auto status = ordered_json::parse(document, nullptr, false);
  if (!status.is_object()) return refuse("the answer is no status document");
  std::string out = head(at(status, "perch"));
  const auto& named_workers = at(status, "workers");
  if (named_workers.is_object() && !named_workers.empty()) out += workers(named_workers, colour);
  const auto& named_listeners = at(status, "listeners");
  if (named_listeners.is_object() && !named_listeners.empty()) out += listeners(named_listeners);
  return out;
}

}  // namespace perch::cli
