// SPDX-License-Identifier: Apache-2.0
// What a peer has stored of a task, and how it is shown: to people, to pipes, to programs. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace perch::peer {

using WallTime = std::chrono::system_clock::time_point;

struct TaskView {
  std::string id;
  std::string url{};
  std::uint64_t length = 0;
  std::uint64_t piece_length = 0;
  std::uint32_t pieces = 0;
  std::optional<std::uint32_t> pieces_done{};  // nothing: a download is at work on them
  std::optional<WallTime> created{};
  std::optional<WallTime> updated{};
  std::optional<WallTime> finished{};  // nothing: it is not whole
};

// Rows that fit, under a heading; ids are cut to what `stat` and `rm` understand.
std::string task_table(const std::vector<TaskView>& tasks, std::size_t columns, WallTime now);
// A line each: id, "finished", "running" or "partial", bytes, URL, with tabs between.
std::string task_lines(const std::vector<TaskView>& tasks);
// One task, a fact a line.
std::string task_page(const TaskView& task);

// With a newline at the end; times are RFC 3339 or null.
std::string task_json(const TaskView& task);
std::string tasks_json(const std::vector<TaskView>& tasks);

}  // namespace perch::peer
