// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/oom_victim.h"

#include <charconv>

#include "common/value/text.h"

namespace perch::process {
namespace {

constexpr std::size_t kLongestLine = 256;

// What stands before `end`, which is taken off the text as well.
std::optional<std::string_view> take_until(std::string_view& text, std::string_view end) {
  const std::size_t at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at + end.size());
  return taken;
}

template <class Number>
std::optional<Number> number_of(std::optional<std::string_view> digits) {
  Number number{};
  if (!digits) return std::nullopt;
  const auto [end, error] =
      std::from_chars(digits->data(), digits->data() + digits->size(), number);
  if (error != std::errc() || end != digits->data() + digits->size()) return std::nullopt;
  return number;
}

std::optional<OomVictim::Scope> scope_of(std::string_view heading) {
  if (heading == "Memory cgroup out of memory") return OomVictim::Scope::Cgroup;
  // The other way to choose a victim, sysctl vm.oom_kill_allocating_task.
  if (heading == "Out of memory" || heading == "Out of memory (oom_kill_allocating_task)") {
    return OomVictim::Scope::Machine;
  }
  return std::nullopt;
}

}  // namespace

std::optional<OomVictim> parse_oom_victim(std::string_view record) {
  // Anybody who may write to /dev/kmsg gets another facility than the kernel's, which is 0.
  const auto priority = number_of<unsigned>(take_until(record, ","));
  if (!priority || *priority > 7 || !take_until(record, ",")) return std::nullopt;
  const auto at = number_of<std::int64_t>(take_until(record, ","));
  if (!at || !take_until(record, ";")) return std::nullopt;
  std::string_view text = record.substr(0, record.find('\n'));
  const auto heading = take_until(text, ": Killed process ");
  const auto scope = heading ? scope_of(*heading) : std::nullopt;
  if (!scope) return std::nullopt;
  std::string line = "Killed process " + std::string(text.substr(0, kLongestLine));
  const auto pid = number_of<pid_t>(take_until(text, " ("));
  // A name may have parentheses of its own.
  const std::size_t name_end = text.rfind(") total-vm:");
  if (!pid || name_end == std::string_view::npos) return std::nullopt;
  return OomVictim{.scope = *scope,
                   .pid = *pid,
                   .name = std::string(text.substr(0, name_end)),
                   .at = std::chrono::microseconds(*at),
                   .line = printable(line)};
}

std::string as_logged(std::string_view name) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string logged;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte >= 127 || c == '\\') {
      logged += {'\\', 'x', kHex[byte >> 4U], kHex[byte & 15U]};
    } else {
      logged += c;
    }
  }
  return logged;
}

}  // namespace perch::process
