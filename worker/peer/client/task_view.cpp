// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/task_view.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "common/value/human.h"
#include "common/value/text.h"

namespace perch::peer {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kShortId = 12;

const char* state_of(const TaskView& task) {
  if (task.finished) return "finished";
  return task.pieces_done ? "partial" : "running";
}

std::string share_of(const TaskView& task) {
  if (task.finished) return "100 %";
  if (!task.pieces_done) return "-";
  const std::uint64_t share = task.pieces == 0 ? 0 : 100ULL * *task.pieces_done / task.pieces;
  return fmt::format("{} %", std::min<std::uint64_t>(share, 99));
}

std::string pieces_of(const TaskView& task) {
  if (!task.pieces_done) return fmt::format("{}", task.pieces);
  return fmt::format("{} of {}", *task.pieces_done, task.pieces);
}

std::string age_of(const std::optional<WallTime>& time, WallTime now) {
  if (!time) return "-";
  const double seconds = std::chrono::duration<double>(now - *time).count();
  return human_duration(std::max(1.0, std::floor(seconds)));
}

std::string time_text(const std::optional<WallTime>& time) { return time ? rfc3339(*time) : "-"; }

ordered_json time_json(const std::optional<WallTime>& time) {
  return time ? ordered_json(rfc3339(*time)) : ordered_json();
}

ordered_json to_json(const TaskView& task) {
  return {{"id", task.id},
          {"url", task.url},
          {"state", state_of(task)},
          {"content_length", task.length},
          {"piece_length", task.piece_length},
          {"pieces", task.pieces},
          {"pieces_done", task.pieces_done ? ordered_json(*task.pieces_done) : ordered_json()},
          {"created_at", time_json(task.created)},
          {"updated_at", time_json(task.updated)},
          {"finished_at", time_json(task.finished)}};
}

// A URL may be any bytes.
std::string text_of(const ordered_json& document) {
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string task_table(const std::vector<TaskView>& tasks, std::size_t columns, WallTime now) {
  std::vector<std::string> rows{fmt::format("{:<{}}  {:>9}  {:>5}  {:>6}  {}", "TASK", kShortId,
                                            "SIZE", "DONE", "AGE", "URL")};
  for (const TaskView& task : tasks) {
    rows.push_back(fmt::format("{:<{}}  {:>9}  {:>5}  {:>6}  {}", task.id.substr(0, kShortId),
                               kShortId, human_bytes(task.length), share_of(task),
                               age_of(task.updated, now), printable(task.url)));
  }
  std::string text;
  for (const std::string& row : rows) text += row.substr(0, columns) + "\n";
  return text;
}

std::string task_lines(const std::vector<TaskView>& tasks) {
  std::string text;
  for (const TaskView& task : tasks) {
    text +=
        fmt::format("{}\t{}\t{}\t{}\n", task.id, state_of(task), task.length, printable(task.url));
  }
  return text;
}

std::string task_page(const TaskView& task) {
  return fmt::format(
      "task      {}\nurl       {}\nstate     {}\nsize      {} ({} bytes)\n"
      "pieces    {}, {} each\ncreated   {}\nupdated   {}\nfinished  {}\n",
      task.id, printable(task.url), state_of(task), human_bytes(task.length), task.length,
      pieces_of(task), human_bytes(task.piece_length), time_text(task.created),
      time_text(task.updated), time_text(task.finished));
}

std::string task_json(const TaskView& task) { return text_of(to_json(task)); }

std::string tasks_json(const std::vector<TaskView>& tasks) {
  auto list = ordered_json::array();
  for (const TaskView& task : tasks) list.push_back(to_json(task));
  return text_of(list);
}

}  // namespace perch::peer
