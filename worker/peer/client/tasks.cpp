// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/client/tasks.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "common/value/text.h"
#include "worker/peer/client/task_view.h"
#include "worker/peer/client/terminal.h"
#include "worker/peer/store/shown_url.h"
#include "worker/peer/store/task_id.h"

namespace perch::peer {
namespace {

using dfdaemon::v2::StatLocalTaskResponse;

constexpr std::size_t kLeastBeginning = 4;

// Everything here may end early, and then says why.
template <class T>
using Answer = std::expected<T, Ending>;

WallTime wall_time(const google::protobuf::Timestamp& time) {
  using google::protobuf::util::TimeUtil;
  return WallTime(std::chrono::milliseconds(TimeUtil::TimestampToMilliseconds(time)));
}

TaskView view_of(const StatLocalTaskResponse& task) {
  TaskView view{
      .id = task.task_id(), .length = task.content_length(), .piece_length = task.piece_length()};
  if (task.has_created_at()) view.created = wall_time(task.created_at());
  if (task.has_updated_at()) view.updated = wall_time(task.updated_at());
  if (task.has_finished_at()) view.finished = wall_time(task.finished_at());
  return view;
}

// The answer of a peer with very many tasks holds the latest, and says how many others there are.
struct List {
  std::vector<TaskView> tasks{};
  std::string left_out{};  // empty: none
};

std::string left_out_of(const grpc::ClientContext& context) {
  const auto& trailer = context.GetServerTrailingMetadata();
  const auto count = trailer.find("perch-left-out");
  if (count == trailer.end()) return "";
  return printable(std::string_view(count->second.data(), count->second.size()));
}

Answer<List> list(Connection& connection) {
  List list;
  dfdaemon::v2::ListLocalTasksResponse response;
  const Ending asked = connection.make([&](auto& stub, auto& context) {
    grpc::Status status = stub.ListLocalTasks(&context, {}, &response);
    if (status.ok()) list.left_out = left_out_of(context);
    return status;
  });
  if (asked.exit != ExitCode::Done) return std::unexpected(asked);
  for (const auto& task : response.tasks()) list.tasks.push_back(view_of(task));
  return list;
}

// What only the other of both calls tells: the URL and the pieces.
Ending complete(Connection& connection, TaskView& view) {
  dfdaemon::v2::StatTaskRequest request;
  request.set_task_id(view.id);
  common::v2::Task task;
  Ending asked = connection.make(
      [&](auto& stub, auto& context) { return stub.StatTask(&context, request, &task); });
  view.url = task.url();
  view.pieces = task.piece_count();
  if (task.state() != "Running") {
    view.pieces_done = static_cast<std::uint32_t>(task.pieces_size());
  }
  return asked;
}

bool is_beginning_of_id(const std::string& text) {
  return text.size() >= kLeastBeginning &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Answer<std::string> find_by_beginning(Connection& connection, const std::string& beginning) {
  const auto listed = list(connection);
  if (!listed) return std::unexpected(listed.error());
  const auto begins = [&](const TaskView& task) { return task.id.starts_with(beginning); };
  const auto count = std::ranges::count_if(listed->tasks, begins);
  if (count < 2 && !listed->left_out.empty()) {
    return std::unexpected(
        Ending{ExitCode::NoSuchTask, "one of the " + listed->left_out +
                                         " tasks that the peer does not list may begin like " +
                                         "that, too: say the whole id"});
  }
  if (count == 1) return std::ranges::find_if(listed->tasks, begins)->id;
  return std::unexpected(
      Ending{ExitCode::NoSuchTask, count == 0 ? "no task begins like that"
                                              : fmt::format("{} tasks begin like that", count)});
}

Answer<std::string> id_of(Connection& connection, const TaskOptions& options) {
  if (is_task_id(options.task)) return options.task;
  if (is_beginning_of_id(options.task)) return find_by_beginning(connection, options.task);
  if (options.task.find("://") != std::string::npos) {
    TaskKey key;
    key.url = options.task;
    key.tag = options.tag;
    return task_id(key);
  }
  return std::unexpected(Ending{ExitCode::Usage, "neither a task's id nor a URL"});
}

Answer<TaskView> stat(const TaskOptions& options) {
  Connection connection(options.peer);
  const auto id = id_of(connection, options);
  if (!id) return std::unexpected(id.error());
  dfdaemon::v2::StatLocalTaskRequest request;
  request.set_task_id(*id);
  StatLocalTaskResponse response;
  Ending asked = connection.make(
      [&](auto& stub, auto& context) { return stub.StatLocalTask(&context, request, &response); });
  TaskView view = view_of(response);
  view.id = *id;
  if (asked.exit == ExitCode::Done) asked = complete(connection, view);
  if (asked.exit != ExitCode::Done) return std::unexpected(asked);
  return view;
}

Answer<std::vector<TaskView>> list_whole(const TaskOptions& options) {
  Connection connection(options.peer);
  auto listed = list(connection);
  if (!listed) return std::unexpected(listed.error());
  if (!listed->left_out.empty()) {
    say(fmt::format("perch-peer: {} older tasks are left out\n", listed->left_out));
  }
  std::vector<TaskView> whole;
  for (TaskView& task : listed->tasks) {
    connection.begin_anew();  // very many tasks are no reason to give up
    const Ending asked = complete(connection, task);
    if (asked.exit == ExitCode::NoSuchTask) continue;  // removed meanwhile
    if (asked.exit != ExitCode::Done) return std::unexpected(asked);
    whole.push_back(std::move(task));
  }
  return whole;
}

Ending remove(const TaskOptions& options) {
  Connection connection(options.peer);
  const auto id = id_of(connection, options);
  if (!id) return id.error();
  dfdaemon::v2::DeleteTaskRequest request;
  request.set_task_id(*id);
  google::protobuf::Empty nothing;
  int calls = 0;
  const Ending ending = connection.make([&](auto& stub, auto& context) {
    ++calls;
    return stub.DeleteTask(&context, request, &nothing);
  });
  // A peer that was killed may have done it before it could say so.
  return ending.exit == ExitCode::NoSuchTask && calls > 1 ? Ending{} : ending;
}

ExitCode told(const std::string& command, const Ending& ending) {
  if (!ending.reason.empty()) say(fmt::format("perch-peer {}: {}\n", command, ending.reason));
  return ending.exit;
}

ExitCode show(const std::string& command, const std::string& text) {
  if (std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return ExitCode::Done;
  return told(command, local_trouble(Error::from_errno(errno, "stdout")));
}

}  // namespace

ExitCode stat_task(const TaskOptions& options) {
  const std::string command = "stat " + printable(shown_url(options.task));
  const auto task = stat(options);
  if (!task) return told(command, task.error());
  return show(command, options.format == Format::Json ? task_json(*task) : task_page(*task));
}

ExitCode list_tasks(const TaskOptions& options) {
  const auto tasks = list_whole(options);
  if (!tasks) return told("ls", tasks.error());
  if (options.format == Format::Json) return show("ls", tasks_json(*tasks));
  const auto columns = columns_of(STDOUT_FILENO);
  if (!columns) return show("ls", task_lines(*tasks));
  return show("ls", task_table(*tasks, *columns, std::chrono::system_clock::now()));
}

ExitCode remove_task(const TaskOptions& options) {
  return told("rm " + printable(shown_url(options.task)), remove(options));
}

}  // namespace perch::peer
