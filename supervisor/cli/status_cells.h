// SPDX-License-Identifier: Apache-2.0
// What the views of the status document are put together from. Fields that are missing or of an
// unknown kind (another version of perch answered) are shown as "-". Nothing in the document
// reaches the terminal as a control character.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <string>
#include <string_view>

#include "supervisor/cli/terminal.h"

namespace perch::cli {

inline constexpr std::size_t kColumns = 80;

// A null where there is none.
const nlohmann::ordered_json& at(const nlohmann::ordered_json& object, std::string_view key);

bool is_positive(const nlohmann::ordered_json& value);
// A text that is not empty.
bool is_said(const nlohmann::ordered_json& value);

std::string cell(const nlohmann::ordered_json& value);
std::string duration_cell(const nlohmann::ordered_json& value);  // of seconds
std::string bytes_cell(const nlohmann::ordered_json& value);
std::string time_cell(const nlohmann::ordered_json& value);
// "last 1.6ms, p50 1.6ms, max 2.5s"
std::string outage_cell(const nlohmann::ordered_json& worker);

// Broken between words where it would pass the last column; further lines begin with `indent`.
std::string wrapped(std::string_view first, std::string_view indent, std::string_view text);
// The same, as a line below what it belongs to.
std::string detail(std::string_view text);

// Green, yellow or red; padded to `width`.
std::string coloured_state(std::string_view state, std::size_t width, Colour colour);

}  // namespace perch::cli
