// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/render.h"

#include <fmt/format.h>
#include <sys/resource.h>

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

class Writer {
 public:
  void header(const std::string& name) { text_ += fmt::format("\n[{}]\n", name); }
  void raw(std::string_view key, const std::string& value) {
    text_ += fmt::format("{} = {}\n", key, value);
  }
  void text(std::string_view key, std::string_view value) { raw(key, string(value)); }
  void time(std::string_view key, milliseconds value) { text(key, duration_text(value)); }
  void mode(std::string_view key, std::optional<mode_t> value, std::string_view unset) {
    if (value) {
      text(key, mode_text(*value));
    } else {
      text_ += fmt::format("# {}: {}\n", key, unset);
    }
  }
  void strings(std::string_view key, const std::vector<std::string>& values) {
    raw(key, array(values, string));
  }

  [[nodiscard]] std::string take() && { return std::move(text_); }

 private:
  std::string text_;
};

void write_perch(Writer& out, const PerchConfig& perch) {
  out.header("perch");
  out.text("control", perch.control.empty() ? "none" : perch.control);
  out.text("log_level", word(perch.log_level));
  out.text("log_format", word(perch.log_format));
  out.strings("readers", perch.readers);
  out.strings("operators", perch.operators);
  out.text("http", perch.http ? tcp_address_text(*perch.http) : "");
  out.raw("reload_on_change", perch.reload_on_change ? "true" : "false");
}

void write_listener(Writer& out, const std::string& name, const ListenerConfig& listener) {
  out.header(path_text({"listeners", name}));
  out.text("path", listener.path);
  out.mode("mode", listener.mode, "unset, 0777 less perch's umask; the worker may change it");
  out.text("user", listener.user);
  out.text("group", listener.group);
  out.raw("backlog", std::to_string(listener.backlog));
  out.time("wait_for_owner", listener.wait_for_owner);
  out.text("on_exit", word(listener.on_exit));
}

std::string limit(std::uint64_t value) {
  // TOML's integers are signed: what does not fit is written as a size.
  if (value == RLIM_INFINITY) return "\"unlimited\"";
  if (value > INT64_MAX) return fmt::format("\"{}B\"", value);
  return std::to_string(value);
}

void write_restart(Writer& out, const std::string& section, const RestartConfig& restart) {
  out.header(section + ".restart");
  out.text("policy", word(restart.policy));
  out.raw("burst", std::to_string(restart.burst));
  out.time("delay", restart.delay);
  out.raw("factor", fmt::format("{}", restart.factor));
  out.time("max_delay", restart.max_delay);
  out.raw("jitter", fmt::format("{}", restart.jitter));
  out.time("stable_after", restart.stable_after);
  out.raw("attempts", std::to_string(restart.attempts));
  out.text("on_give_up", word(restart.on_give_up));
}

void write_process(Writer& out, const WorkerConfig& worker) {
  out.text("user", worker.user);
  out.text("group", worker.group);
  out.text("directory", worker.directory);
  out.mode("umask", worker.umask, "unset, perch's own");
  out.strings("capabilities", worker.capabilities);
}

void write_tables(Writer& out, const std::string& section, const WorkerConfig& worker) {
  if (!worker.environment.empty()) out.header(section + ".environment");
  for (const auto& [name, value] : worker.environment) out.text(string(name), value);
  if (!worker.rlimits.empty()) out.header(section + ".rlimits");
  for (const Rlimit& rlimit : worker.rlimits) {
    out.raw(rlimit_name(rlimit.resource),
            fmt::format("[{}, {}]", limit(rlimit.soft), limit(rlimit.hard)));
  }
  out.header(section + ".readiness");
  out.text("by", word(worker.readiness.by));
  out.time("timeout", worker.readiness.timeout);
  write_restart(out, section, worker.restart);
}

void write_worker(Writer& out, const std::string& name, const WorkerConfig& worker) {
  const std::string section = path_text({"workers", name});
  out.header(section);
  out.strings("command", worker.command);
  out.strings("listeners", worker.listeners);
  out.text("handover", word(worker.handover));
  out.raw("required", worker.required ? "true" : "false");
  out.text("stop_signal", signal_text(worker.stop_signal));
  out.time("stop_timeout", worker.stop_timeout);
  out.raw("forward_signals",
          array(worker.forward_signals, [](int signal) { return string(signal_text(signal)); }));
  out.text("reload_signal", worker.reload_signal ? signal_text(*worker.reload_signal) : "");
  out.raw("capture", worker.capture ? "true" : "false");
  out.text("capture_format", word(worker.capture_format));
  out.raw("capture_rate", std::to_string(worker.capture_rate));
  write_process(out, worker);
  write_tables(out, section, worker);
}

}  // namespace

std::string to_toml(const Config& config) {
  Writer out;
  write_perch(out, config.perch);
  for (const auto& [name, listener] : config.listeners) write_listener(out, name, listener);
  for (const auto& [name, worker] : config.workers) write_worker(out, name, worker);
  return std::move(out).take().substr(1);  // without the empty line before the first header
}

}  // namespace perch::config
