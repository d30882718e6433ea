// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/ask_perch.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstdio>

#include "common/value/text.h"

namespace perch::cli {
namespace {

constexpr std::string_view kElsewhere =
    "is perch running? name its socket with --control PATH or PERCH_CONTROL";

void complain(const std::string& line) {
  (void)std::fputs(("perch: " + line + "\n").c_str(), stderr);
}

}  // namespace

std::optional<control::Response> ask_perch(const std::string& control, const std::string& method,
                                           const std::string& target,
                                           std::chrono::milliseconds timeout) {
  auto response = control::request(control, method, target, timeout);
  if (response) return std::move(*response);
  complain(fmt::format("cannot reach perch at {}: {}; {}", printable(control),
                       response.error().text(), kElsewhere));
  return std::nullopt;
}

std::string error_of(const control::Response& response) {
  const auto body = nlohmann::json::parse(response.body, nullptr, false);
  const auto error = body.is_object() ? body.find("error") : body.end();
  if (error != body.end() && error->is_string()) return printable(error->get<std::string>());
  return printable(response.body);
}

int unexpected_answer(std::string_view command, const control::Response& response) {
  complain(fmt::format("{}: no answer to work with (status {}): {}", command, response.status,
                       error_of(response)));
  return static_cast<int>(ExitCode::Unreachable);
}

int print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return static_cast<int>(ExitCode::Stopped);
  complain(Error::from_errno(errno, "write to stdout").text());
  return static_cast<int>(ExitCode::SystemRefused);
}

}  // namespace perch::cli
