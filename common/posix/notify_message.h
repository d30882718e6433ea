// SPDX-License-Identifier: Apache-2.0
// The one vocabulary between perch and its workers, on the channel and on NOTIFY_SOCKET:
// sd_notify(3)'s newline-separated KEY=VALUE assignments, one datagram a message. Values of any
// origin: unknown keys are kept for the caller to ignore, malformed lines are skipped, and the
// number of fields is bounded.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace perch {

class NotifyMessage {
 public:
  NotifyMessage() = default;
  NotifyMessage(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);

  // Never fails; what is not an assignment is left out, and so is all after 64 fields.
  static NotifyMessage parse(std::string_view datagram);

  void add(std::string_view key, std::string_view value);
  // The last assignment of `key`, as systemd reads it.
  [[nodiscard]] std::optional<std::string_view> get(std::string_view key) const;
  [[nodiscard]] bool says(std::string_view key, std::string_view value) const {
    return get(key) == value;
  }
  [[nodiscard]] bool empty() const noexcept { return fields_.empty(); }
  // A newline inside a value becomes a space: one assignment stays one line.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// ':'-separated names, as in LISTEN_FDNAMES; empty text gives no name.
std::vector<std::string> split_names(std::string_view text);
std::string join_names(const std::vector<std::string>& names);

}  // namespace perch
