// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/worker_page.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <vector>

#include "common/value/text.h"
#include "supervisor/cli/status_cells.h"
#include "supervisor/config/nearest.h"
#include "supervisor/config/units.h"

namespace perch::cli {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kValueIndent = "                ";

std::string row(std::string_view label, std::string_view value) {
  return wrapped(fmt::format("  {:<{}}", label, kValueIndent.size() - 2), kValueIndent, value);
}

std::string instance_rows(const ordered_json& instance) {
  std::string text = fmt::format("generation {}", cell(at(instance, "generation")));
  if (at(instance, "pid").is_number()) {
    text += fmt::format(", pid {}, up {}", cell(at(instance, "pid")),
                        duration_cell(at(instance, "uptime_seconds")));
  }
  const auto& next = at(instance, "next_start_in_seconds");
  if (next.is_number()) text += ", next start in " + duration_cell(next);
  if (at(instance, "stuck") == true) text += ", stuck: a killed process of it does not go away";
  std::string out = row("instance", text);
  if (is_said(at(instance, "status_text"))) out += row("says", cell(at(instance, "status_text")));
  return out;
}

std::string memory_row(const ordered_json& memory) {
  if (!memory.is_object()) return {};
  const bool own = at(memory, "cgroup") == "own";
  return row(
      "memory",
      fmt::format("{} in use, peak {}, limit {}, of {} cgroup",
                  bytes_cell(at(memory, "usage_bytes")), bytes_cell(at(memory, "peak_bytes")),
                  bytes_cell(at(memory, "limit_bytes")), own ? "its own" : "perch's"));
}

// Beside the rest, which tells nothing of when it is recycled.
std::string recycling_row(const ordered_json& memory) {
  if (!at(memory, "recycle_at_bytes").is_number()) return {};
  return row("recycling", fmt::format("at {} that cannot be reclaimed, {} now",
                                      bytes_cell(at(memory, "recycle_at_bytes")),
                                      bytes_cell(at(memory, "nonreclaimable_bytes"))));
}

std::string counted(const ordered_json& counts) {
  std::string text;
  for (const auto& [what, number] : counts.items()) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", printable(what), cell(number));
  }
  return text.empty() ? "-" : text;
}

// Of a worker by `intercept`.
std::string intercept_row(const ordered_json& counts) {
  return counts.is_object() ? row("answered", counted(counts)) : "";
}

std::string figures(const ordered_json& worker) {
  return row("starts", fmt::format("{}, failures in a row {}", cell(at(worker, "starts")),
                                   cell(at(worker, "consecutive_failures")))) +
         row("deaths", counted(at(worker, "deaths"))) +
         row("survived", fmt::format("{} OOM kills below it", cell(at(worker, "oom_in_tree")))) +
         row("left alone", fmt::format("{} orphans of unknown origin",
                                       cell(at(worker, "unattributed_orphans")))) +
         intercept_row(at(worker, "intercept")) + row("outage", outage_cell(worker));
}

std::string listener_lines(const ordered_json& names, const ordered_json& listeners) {
  if (!names.is_array() || names.empty()) return {};
  std::string out = "\nlisteners\n";
  for (const auto& name : names) {
    const auto& listener = at(listeners, name.is_string() ? name.get<std::string>() : "");
    out += detail(fmt::format("{}: {}, {} of {} waiting, {} heals, healable {}, claimed {}",
                              cell(name), cell(at(listener, "state")), cell(at(listener, "queued")),
                              cell(at(listener, "backlog")), cell(at(listener, "heals")),
                              cell(at(listener, "healable")), cell(at(listener, "claimed"))));
    out += "    " + cell(at(listener, "path")) + "\n";
  }
  return out;
}

std::string evidence(const ordered_json& death) {
  std::string text = cell(at(death, "detail"));
  for (const auto& [key, label] : {std::pair("memory_peak_bytes", "memory peak"),
                                   std::pair("memory_limit_bytes", "memory limit"),
                                   std::pair("max_rss_bytes", "resident at most")}) {
    const auto& bytes = at(death, key);
    if (bytes.is_number()) text += fmt::format("; {} {}", label, bytes_cell(bytes));
  }
  return text;
}

std::string death_lines(const ordered_json& death) {
  std::string out = detail(fmt::format("{}  generation {}: {} after {}", time_cell(at(death, "at")),
                                       cell(at(death, "generation")), cell(at(death, "cause")),
                                       duration_cell(at(death, "uptime_seconds"))));
  out += wrapped("    ", "    ", evidence(death));
  const auto& words = at(death, "stderr_tail");
  if (!words.is_array()) return out;
  for (const auto& line : words) out += wrapped("    | ", "    | ", cell(line));
  return out;
}

std::string deaths_in_full(const ordered_json& deaths) {
  if (!deaths.is_array() || deaths.empty()) return {};
  std::string out = "\nlast deaths, newest first\n";
  for (const auto& death : deaths) out += death_lines(death);
  return out;
}

std::string page(const std::string& name, const ordered_json& worker, const ordered_json& listeners,
                 Colour colour) {
  std::string out = fmt::format("{}: {} since {}\n", printable(name),
                                coloured_state(cell(at(worker, "state")), 0, colour),
                                time_cell(at(worker, "since")));
  out += row("wanted", fmt::format("{}, required: {}", cell(at(worker, "desired")),
                                   cell(at(worker, "required"))));
  const auto& instances = at(worker, "instances");
  if (instances.is_array()) {
    for (const auto& instance : instances) out += instance_rows(instance);
  }
  return out + memory_row(at(worker, "memory")) + recycling_row(at(worker, "memory")) +
         figures(worker) + listener_lines(at(worker, "listeners"), listeners) +
         deaths_in_full(at(worker, "last_deaths"));
}

}  // namespace

Result<std::string> worker_page(std::string_view document, const std::string& name, Colour colour) {
  const auto status = ordered_json::parse(document, nullptr, false);
  const auto& workers = at(status, "workers");
  if (!workers.is_object()) return refuse("the answer is no status document");
  const auto found = workers.find(name);
  if (found != workers.end()) return page(name, *found, at(status, "listeners"), colour);
  std::vector<std::string> known;
  for (const auto& [other, worker] : workers.items()) known.push_back(printable(other));
  const std::vector<std::string_view> names(known.begin(), known.end());
  return refuse(fmt::format("there is no worker {}; {}", config::in_quotes(name),
                            config::suggestion(name, names)));
}

}  // namespace perch::cli
