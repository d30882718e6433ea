// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/ready_command.h"

#include <nlohmann/json.hpp>

#include <cstdio>

#include "supervisor/cli/ask_perch.h"

namespace perch::cli {
namespace {

// A 503 may also come from a perch with too many connections.
bool names_workers(const control::Response& response) {
  const auto body = nlohmann::json::parse(response.body, nullptr, false);
  return response.status == 503 && body.is_object() && body.contains("not_ready");
}

}  // namespace

int ready_command(const ReadyOptions& options) {
  const auto response = ask_perch(options.control, "GET", "/readyz");
  if (!response) return static_cast<int>(ExitCode::Unreachable);
  if (response->status == 200) return print("ready\n");
  if (!names_workers(*response)) return unexpected_answer("ready", *response);
  (void)std::fputs((error_of(*response) + "\n").c_str(), stderr);
  return static_cast<int>(ExitCode::NotReady);
}

}  // namespace perch::cli
