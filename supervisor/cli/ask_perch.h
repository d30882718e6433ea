// SPDX-License-Identifier: Apache-2.0
// What the client commands have in common: one request to a running perch, and the one line that
// says which socket did not answer, why, and what to do.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "supervisor/cli/exit_code.h"
#include "supervisor/control/client.h"

namespace perch::cli {

// Nothing when nobody answers at `control`; that has been said on stderr, and the exit code is
// ExitCode::Unreachable.
std::optional<control::Response> ask_perch(const std::string& control, const std::string& method,
                                           const std::string& target,
                                           std::chrono::milliseconds timeout);

// "error" of a reply that refuses; else the body itself, on one line.
std::string error_of(const control::Response& response);

// An answer that no perch of this version gives: said on stderr.
int unexpected_answer(std::string_view command, const control::Response& response);

// To stdout, whole; a failed write is said on stderr.
int print(std::string_view text);

}  // namespace perch::cli
