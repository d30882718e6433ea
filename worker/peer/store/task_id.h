// SPDX-License-Identifier: Apache-2.0
// The identity of a task: what makes two requests the same download. The id is computed as
// Dragonfly computes it, so that both name a task alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace perch::peer {

struct TaskKey {
  std::string url;
  std::string tag;
  std::string application;
  std::vector<std::string> filtered_query_params;
  std::optional<std::uint64_t> piece_length;  // counts only where the client named one
  std::optional<std::string> content;         // replaces all of the above
};

// 64 lower-case hexadecimal digits.
std::string task_id(const TaskKey& key);

// Whether `text` could be a task id: what comes from a client or a directory is checked with it.
bool is_task_id(std::string_view text);

// `url` without the query parameters of these names; the others sorted by name and escaped anew.
// With no names the URL stays as it is.
std::string without_query_params(std::string_view url, const std::vector<std::string>& names);

}  // namespace perch::peer
