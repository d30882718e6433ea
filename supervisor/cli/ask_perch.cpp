// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/ask_perch.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstdio>

#include "common/value/text.h"

namespace perch::cli {
namespace {

std::string_view remedy(const Error& error) {
  if (error.is(EACCES)) {
    return "ask as root or as perch's own user, or name yours in perch.readers or perch.operators";
  }
  return "is perch running? name its socket with --control PATH or PERCH_CONTROL";
}

int complain_unreachable(const std::string& control, const Error& error) {
  return complain(ExitCode::Unreachable, unreachable(control, error));
}

control::Response refusal_in(control::LineStream& lines) {
  const auto deadline = std::chrono::steady_clock::now() + kAnswerTime;
  control::Response refusal{.status = lines.status(), .body = ""};
  for (;;) {
    const auto line = lines.next(deadline);
    if (!line || !*line) return refusal;
    refusal.body += **line;
  }
}

}  // namespace

std::string unreachable(const std::string& control, const Error& error) {
  return fmt::format("cannot reach perch at {}: {}; {}", printable(control), error.text(),
                     remedy(error));
}

int complain(ExitCode code, std::string_view line) {
  (void)std::fputs(fmt::format("perch: {}\n", line).c_str(), stderr);
  return static_cast<int>(code);
}

std::optional<control::Response> ask_perch(const std::string& control, const std::string& method,
                                           const std::string& target,
                                           std::chrono::milliseconds timeout) {
  auto response = control::request(control, method, target, timeout);
  if (response) return std::move(*response);
  complain_unreachable(control, response.error());
  return std::nullopt;
}

std::expected<control::LineStream, int> follow_perch(std::string_view command,
                                                     const std::string& control,
                                                     const std::string& target) {
  auto lines = control::LineStream::open(control, target, kAnswerTime);
  if (!lines) return std::unexpected(complain_unreachable(control, lines.error()));
  constexpr int kOk = 200;
  if (lines->status() == kOk) return std::move(*lines);
  return std::unexpected(unexpected_answer(command, refusal_in(*lines)));
}

std::string error_of(const control::Response& response) {
  const auto body = nlohmann::json::parse(response.body, nullptr, false);
  const auto error = body.is_object() ? body.find("error") : body.end();
  if (error != body.end() && error->is_string()) return printable(error->get<std::string>());
  return printable(response.body);
}

int unexpected_answer(std::string_view command, const control::Response& response) {
  constexpr int kForbidden = 403;
  const std::string error = error_of(response);
  if (response.status == kForbidden) {
    return complain(ExitCode::SystemRefused, fmt::format("{}: refused: {}", command, error));
  }
  return complain(ExitCode::Unreachable, fmt::format("{}: no answer to work with (status {}): {}",
                                                     command, response.status, error));
}

int print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return static_cast<int>(ExitCode::Stopped);
  constexpr auto kCode = ExitCode::SystemRefused;
  if (errno == EPIPE) return static_cast<int>(kCode);
  return complain(kCode, Error::from_errno(errno, "write to stdout").text());
}

}  // namespace perch::cli
