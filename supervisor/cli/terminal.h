// SPDX-License-Identifier: Apache-2.0
// What there is to know of the terminal that a command prints to, and how text is fitted to it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace perch::cli {

enum class Colour { Off, On };

// On where stdout is a terminal that knows colours and nobody wants none (NO_COLOR).
Colour colour_for_stdout();

// `text` in one of the terminal's colours (31 is red, 32 green, ...).
std::string coloured(std::string_view text, int code, Colour colour);

struct Window {
  std::size_t rows = 0;
  std::size_t columns = 0;
};
// Nothing where stdout is no terminal, or one without a size.
std::optional<Window> window_of_stdout();

// What of `text` fits, a line without its newline each: longer lines are cut, and the last row says
// how many lines are not shown. Colours are kept and have no width. Pure.
std::vector<std::string> fit(std::string_view text, const Window& window);

}  // namespace perch::cli
