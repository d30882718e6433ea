// SPDX-License-Identifier: Apache-2.0
// What the client commands have in common: asking a running perch, and the one line that says which
// socket did not answer, why, and what to do.
#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "supervisor/control/client.h"
#include "supervisor/exit_code.h"

namespace perch::cli {

// Long enough for a perch that lives.
inline constexpr std::chrono::seconds kAnswerTime{5};

// On stderr, as "perch: line"; the code is the caller's to return.
int complain(ExitCode code, std::string_view line);

// Nothing when nobody answers at `control`; that has been said on stderr, and the exit code is
// ExitCode::Unreachable.
std::optional<control::Response> ask_perch(const std::string& control, const std::string& method,
                                           const std::string& target,
                                           std::chrono::milliseconds timeout = kAnswerTime);

// A reply of lines that come as things happen. Else the exit code, and why is said on stderr.
std::expected<control::LineStream, int> follow_perch(std::string_view command,
                                                     const std::string& control,
                                                     const std::string& target);

// The line for people when nobody answers at `control`.
std::string unreachable(const std::string& control, const Error& error);

// "error" of a reply that refuses; else the body itself, on one line.
std::string error_of(const control::Response& response);

// An answer other than the one hoped for: said on stderr. Who has no right to ask is refused; all
// else is no answer that a perch of this version gives.
int unexpected_answer(std::string_view command, const control::Response& response);

// To stdout, whole. A failed write is said on stderr, unless nobody reads any more.
int print(std::string_view text);

}  // namespace perch::cli
