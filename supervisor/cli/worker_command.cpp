// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/worker_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "common/value/text.h"
#include "supervisor/cli/ask_perch.h"
#include "supervisor/cli/json_fields.h"

namespace perch::cli {
namespace {

using nlohmann::json;
using std::chrono::steady_clock;

std::string command_name(const WorkerOptions& options) {
  return std::string(name(options.request));
}

// Some character that no worker's name has could mean something in a request.
std::string in_path(std::string_view worker) {
  std::string escaped;
  for (const char c : worker) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
    escaped += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return escaped;
}

std::expected<std::vector<std::string>, int> all_workers(const WorkerOptions& options) {
  const auto response = ask_perch(options.control, "GET", "/v1/status");
  if (!response) return std::unexpected(static_cast<int>(ExitCode::Unreachable));
  const auto status = json::parse(response->body, nullptr, false);
  if (response->status != 200 || !status.is_object() || !status.contains("workers")) {
    return std::unexpected(unexpected_answer(command_name(options), *response));
  }
  std::vector<std::string> names;
  for (const auto& [name, worker] : status["workers"].items()) names.push_back(name);
  return names;
}

// Else the exit code, and why is said on stderr.
std::expected<std::vector<std::string>, int> chosen_workers(const WorkerOptions& options) {
  if (!options.worker.empty()) return std::vector{options.worker};
  auto names = all_workers(options);
  if (!names || names->size() == 1 || (options.all && !names->empty())) return names;
  if (names->empty()) {
    return std::unexpected(complain(ExitCode::Usage, "this perch has no worker"));
  }
  return std::unexpected(complain(
      ExitCode::Usage,
      fmt::format("{}: there are several workers; name one of {}, or give --all",
                  command_name(options), printable(fmt::format("{}", fmt::join(*names, ", "))))));
}

std::expected<Goal, int> ask_for(const WorkerOptions& options, const std::string& worker) {
  const std::string command = command_name(options);
  const auto response = ask_perch(options.control, "POST",
                                  fmt::format("/v1/workers/{}/{}", in_path(worker), command));
  if (!response) return std::unexpected(static_cast<int>(ExitCode::Unreachable));
  if (response->status == 404) {
    return std::unexpected(complain(ExitCode::Usage, command + ": " + error_of(*response)));
  }
  if (response->status == 409) {
    return std::unexpected(complain(ExitCode::SystemRefused,
                                    fmt::format("{}: not now: {}", command, error_of(*response))));
  }
  const auto body = json::parse(response->body, nullptr, false);
  if (response->status != 202 || !body.is_object()) {
    return std::unexpected(unexpected_answer(command, *response));
  }
  return Goal{.request = options.request,
              .worker = worker,
              .since = number_at(body, "since"),
              .generation = number_at(body, "generation"),
              .state = text_at(body, "state")};
}

int tell_reached(const Goal& goal, const std::string& why) {
  return print(fmt::format("worker {}: {}\n", printable(goal.worker), why));
}

int tell_failed(const Goal& goal, const std::string& why) {
  return complain(ExitCode::NotDone,
                  fmt::format("{} of worker {}: {}; see perch status {}", name(goal.request),
                              printable(goal.worker), why, printable(goal.worker)));
}

int tell_lost(const Goal& goal) {
  return complain(ExitCode::Unreachable,
                  fmt::format("{} of worker {}: perch has hung up before it was done",
                              name(goal.request), printable(goal.worker)));
}

// What is lost of the news may have been what was waited for.
bool has_gap(const Goal& goal, const News& first) { return first.id > goal.since + 1; }

int wait_for(const WorkerOptions& options, const Goal& goal) {
  control::Deadline deadline;
  if (options.timeout) deadline = steady_clock::now() + *options.timeout;
  auto lines = follow_perch(command_name(options), options.control,
                            fmt::format("/v1/events?since={}&follow=1", goal.since));
  if (!lines) return lines.error();
  for (bool first = true;; first = false) {
    const auto line = lines->next(deadline);
    if (!line && line.error().is(ETIMEDOUT)) {
      return tell_failed(goal, "not done in time, it goes on");
    }
    if (!line || !*line) return tell_lost(goal);
    const auto news = parse_news(**line);
    if (!news) continue;
    if (first && has_gap(goal, *news)) return tell_failed(goal, "too much happened to follow it");
    const Verdict verdict = judge(goal, *news);
    if (news->worker == goal.worker) {
      if (const int code = print(news->message + "\n"); code != 0) return code;
    }
    if (verdict.kind == Verdict::Kind::Reached) return tell_reached(goal, verdict.why);
    if (verdict.kind == Verdict::Kind::Failed) return tell_failed(goal, verdict.why);
  }
}

int run_one(const WorkerOptions& options, const std::string& worker) {
  const auto goal = ask_for(options, worker);
  if (!goal) return goal.error();
  const Verdict verdict = judge(*goal);
  if (verdict.kind == Verdict::Kind::Reached) return tell_reached(*goal, verdict.why);
  if (!options.wait) {
    return print(
        fmt::format("worker {}: {} is under way\n", printable(worker), name(goal->request)));
  }
  return wait_for(options, *goal);
}

}  // namespace

int worker_command(const WorkerOptions& options) {
  const auto workers = chosen_workers(options);
  if (!workers) return workers.error();
  for (const std::string& worker : *workers) {
    if (const int code = run_one(options, worker); code != 0) return code;
  }
  return static_cast<int>(ExitCode::Stopped);
}

}  // namespace perch::cli
