// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/render.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>

#include "supervisor/config/choices.h"
#include "supervisor/config/document.h"
#include "supervisor/config/rlimit_names.h"
#include "supervisor/config/units.h"

namespace perch::config {
namespace {

// A TOML basic string; every control character is escaped.
std::string string(std::string_view text) {
  std::string written = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      written += {'\\', c};
    } else if ((c >= 0 && c < ' ') || c == '\x7f') {
      written += fmt::format("\\u{:04x}", c);
    } else {
      written += c;
    }
  }
  return written + '"';
}

template <class Items, class Write>
std::string array(const Items& items, Write write) {
  std::string written;
  for (const auto& item : items) {
    written += (written.empty() ? "" : ", ") + std::string(write(item));
  }
  return '[' + written + ']';
}

class Collector {
 public:
  // What follows belongs to this table of the section.
  void table(std::string name) { table_ = std::move(name); }
  void raw(std::string key, std::string value) {
    settings_.push_back({.table = table_, .key = std::move(key), .value = std::move(value)});
  }
  void text(std::string key, std::string_view value) { raw(std::move(key), string(value)); }
  void time(std::string key, milliseconds value) { text(std::move(key), duration_text(value)); }
  void flag(std::string key, bool value) { raw(std::move(key), value ? "true" : "false"); }
  template <class Number>
  void number(std::string key, Number value) {
    raw(std::move(key), fmt::format("{}", value));
  }
  void unset(std::string key, std::string meaning) {
    settings_.push_back({.table = table_, .key = std::move(key), .unset = std::move(meaning)});
  }
  void mode(std::string key, std::optional<mode_t> value, std::string meaning) {
    if (value) return text(std::move(key), mode_text(*value));
    unset(std::move(key), std::move(meaning));
  }
  void size(std::string key, std::optional<std::uint64_t> value, std::string meaning) {
    if (value) return text(std::move(key), size_text(*value));
    unset(std::move(key), std::move(meaning));
  }
  void count(std::string key, std::optional<unsigned> value, std::string meaning) {
    if (value) return number(std::move(key), *value);
    unset(std::move(key), std::move(meaning));
  }
  void strings(std::string key, const std::vector<std::string>& values) {
    raw(std::move(key), array(values, string));
  }

  [[nodiscard]] Settings take() && { return std::move(settings_); }

 private:
  std::string table_;
  Settings settings_;
};

std::string limit(std::uint64_t value) {
  // TOML's integers are signed: what does not fit is written as a size.
  if (value == RLIM_INFINITY) return "\"unlimited\"";
  if (value > INT64_MAX) return fmt::format("\"{}B\"", value);
  return std::to_string(value);
}

void add_restart(Collector& out, const RestartConfig& restart) {
  out.table("restart");
  out.text("policy", word(restart.policy));
  out.number("burst", restart.burst);
  out.time("delay", restart.delay);
  out.number("factor", restart.factor);
  out.time("max_delay", restart.max_delay);
  out.number("jitter", restart.jitter);
  out.time("stable_after", restart.stable_after);
  out.number("attempts", restart.attempts);
  out.text("on_give_up", word(restart.on_give_up));
}

void add_process(Collector& out, const WorkerConfig& worker) {
  out.text("user", worker.user);
  out.text("group", worker.group);
  out.text("directory", worker.directory);
  out.mode("umask", worker.umask, "unset, perch's own");
  out.strings("capabilities", worker.capabilities);
}

void add_resources(Collector& out, const WorkerConfig& worker) {
  out.text("on_child_oom", word(worker.on_child_oom));
  out.count("pids_max", worker.pids_max, "unset, no limit of its own");
  out.count("cpu_weight", worker.cpu_weight, "unset, the kernel's 100");
}

void add_memory(Collector& out, const MemoryConfig& memory) {
  out.table("memory");
  out.size("max", memory.max, "unset, no limit below the container's");
  out.size("high", memory.high, "unset, it is never slowed down");
  if (memory.recycle_at) {
    out.text("recycle_at", memory_mark_text(*memory.recycle_at));
  } else {
    out.unset("recycle_at", "unset, it is never replaced for its memory");
  }
  out.time("recycle_after", memory.recycle_after);
}

void add_tables(Collector& out, const WorkerConfig& worker) {
  out.table("environment");
  for (const auto& [name, value] : worker.environment) out.text(string(name), value);
  out.table("rlimits");
  for (const Rlimit& rlimit : worker.rlimits) {
    out.raw(std::string(rlimit_name(rlimit.resource)),
            fmt::format("[{}, {}]", limit(rlimit.soft), limit(rlimit.hard)));
  }
  add_memory(out, worker.memory);
  out.table("readiness");
  out.text("by", word(worker.readiness.by));
  out.time("timeout", worker.readiness.timeout);
  add_restart(out, worker.restart);
}

std::string line_of(const Setting& setting) {
  if (setting.value) return fmt::format("{} = {}\n", setting.key, *setting.value);
  return fmt::format("# {}: {}\n", setting.key, setting.unset);
}

std::string section_text(const std::string& path, const Settings& settings) {
  std::string text = fmt::format("\n[{}]\n", path);
  std::string_view table;
  for (const Setting& setting : settings) {
    if (setting.table != table) text += fmt::format("\n[{}.{}]\n", path, setting.table);
    table = setting.table;
    text += line_of(setting);
  }
  return text;
}

// Those that `usual` has otherwise.
Settings unusual(Settings settings, const Settings& usual) {
  std::erase_if(settings, [&](const Setting& setting) {
    return !setting.value || std::ranges::find(usual, setting) != usual.end();
  });
  return settings;
}

}  // namespace

Settings settings_of(const PerchConfig& perch) {
  Collector out;
  out.text("control", perch.control.empty() ? "none" : perch.control);
  out.text("log_level", word(perch.log_level));
  out.text("log_format", word(perch.log_format));
  out.strings("readers", perch.readers);
  out.strings("operators", perch.operators);
  out.text("http", perch.http ? tcp_address_text(*perch.http) : "");
  out.flag("reload_on_change", perch.reload_on_change);
  out.text("keeper", perch.keeper);
  return std::move(out).take();
}

Settings settings_of(const ListenerConfig& listener) {
  Collector out;
  out.text("path", listener.path);
  out.mode("mode", listener.mode, "unset, 0777 less perch's umask; the worker may change it");
  out.text("user", listener.user);
  out.text("group", listener.group);
  out.number("backlog", listener.backlog);
  out.time("wait_for_owner", listener.wait_for_owner);
  out.text("on_exit", word(listener.on_exit));
  out.text("peercred", word(listener.peercred));
  return std::move(out).take();
}

Settings settings_of(const WorkerConfig& worker) {
  Collector out;
  out.strings("command", worker.command);
  out.strings("listeners", worker.listeners);
  out.text("handover", word(worker.handover));
  out.flag("probe_guard", worker.probe_guard);
  out.flag("tcp_reuse_address", worker.tcp_reuse_address);
  out.flag("required", worker.required);
  out.text("stop_signal", signal_text(worker.stop_signal));
  out.time("stop_timeout", worker.stop_timeout);
  out.raw("forward_signals",
          array(worker.forward_signals, [](int signal) { return string(signal_text(signal)); }));
  out.text("reload_signal", worker.reload_signal ? signal_text(*worker.reload_signal) : "");
  out.flag("capture", worker.capture);
  out.text("capture_format", word(worker.capture_format));
  out.number("capture_rate", worker.capture_rate);
  add_process(out, worker);
  add_resources(out, worker);
  add_tables(out, worker);
  return std::move(out).take();
}

std::string to_toml(const Config& config) {
  std::string text = section_text("perch", settings_of(config.perch));
  for (const auto& [name, listener] : config.listeners) {
    text += section_text(path_text({"listeners", name}), settings_of(listener));
  }
  for (const auto& [name, worker] : config.workers) {
    text += section_text(path_text({"workers", name}), settings_of(worker));
  }
  return text.substr(1);  // without the empty line before the first header
}

std::string to_short_toml(const Config& config) {
  std::string text;
  for (const auto& [name, listener] : config.listeners) {
    const Settings settings = unusual(settings_of(listener), settings_of(ListenerConfig{}));
    text += section_text(path_text({"listeners", name}), settings);
  }
  for (const auto& [name, worker] : config.workers) {
    // Readiness follows the hand-over.
    WorkerConfig usual;
    usual.readiness.by = worker.readiness.by;
    const Settings settings = unusual(settings_of(worker), settings_of(usual));
    text += section_text(path_text({"workers", name}), settings);
  }
  return text.empty() ? text : text.substr(1);
}

}  // namespace perch::config
