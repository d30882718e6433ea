// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/status_cells.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "common/value/human.h"
#include "common/value/text.h"
#include "supervisor/cli/local_time.h"

namespace perch::cli {

using nlohmann::ordered_json;

const ordered_json& at(const ordered_json& object, std::string_view key) {
  static const ordered_json kNothing;
  if (!object.is_object()) return kNothing;
  const auto found = object.find(std::string(key));
  return found == object.end() ? kNothing : *found;
}

bool is_positive(const ordered_json& value) { return value.is_number() && value.get<double>() > 0; }

bool is_said(const ordered_json& value) {
  return value.is_string() && !value.get_ref<const std::string&>().empty();
}

std::string cell(const ordered_json& value) {
  if (value.is_string()) return printable(value.get_ref<const std::string&>());
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number()) return value.dump();
  return "-";
}

std::string duration_cell(const ordered_json& value) {
  return value.is_number() ? human_duration(value.get<double>()) : "-";
}

std::string bytes_cell(const ordered_json& value) {
  return value.is_number_unsigned() ? human_bytes(value.get<std::uint64_t>()) : "-";
}

std::string time_cell(const ordered_json& value) { return local_time(cell(value)); }

std::string outage_cell(const ordered_json& worker) {
  const auto& outage = at(worker, "outage_seconds");
  std::string text;
  for (const char* const name : {"last", "p50", "p99", "max"}) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, duration_cell(at(outage, name)));
  }
  return text;
}

std::string wrapped(std::string_view first, std::string_view indent, std::string_view text) {
  const auto without_end = [](const std::string& line) {
    return line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  };
  std::string out;
  std::string line(first);
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    if (line.size() > indent.size() && line.size() + word.size() > kColumns) {
      out += without_end(line);
      line = indent;
    }
    line.append(word).append(" ");
    text.remove_prefix(std::min(word.size() + 1, text.size()));
  }
  return out + without_end(line);
}

std::string detail(std::string_view text) { return wrapped("  ", "    ", text); }

std::string coloured_state(std::string_view state, std::size_t width, Colour colour) {
  const int code = state == "ready" ? 32 : state == "failed" ? 31 : 33;
  // Padded first: escape sequences have no width.
  return coloured(fmt::format("{:<{}}", state, width), code, colour);
}

}  // namespace perch::cli
