// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace perch::cli {
namespace {

// Bytes that continue a character of UTF-8 have no width of their own.
bool begins_character(char byte) { return (static_cast<unsigned char>(byte) & 0xc0U) != 0x80U; }

std::size_t end_of_escape(std::string_view text, std::size_t start) {
  const std::size_t end = text.find_first_of("ABCDEFGHJKSTfhlmn", start);
  return end == std::string_view::npos ? text.size() : end + 1;
}

// Every character counts as one column: what is wider is cut by the terminal.
std::string cut(std::string_view line, std::size_t columns) {
  std::string kept;
  std::size_t width = 0;
  for (std::size_t i = 0; i < line.size();) {
    const bool escape = line[i] == '\x1b';
    const std::size_t end = escape ? end_of_escape(line, i) : i + 1;
    if (!escape && begins_character(line[i])) ++width;
    if (escape || width <= columns) kept += line.substr(i, end - i);
    i = end;
  }
  return kept;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

// https://no-color.org
Colour colour_for_stdout() {
  const char* const no_colour = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe)
  const char* const terminal = std::getenv("TERM");       // NOLINT(concurrency-mt-unsafe)
  const bool unwanted = (no_colour != nullptr && *no_colour != '\0') || terminal == nullptr ||
                        std::string_view(terminal) == "dumb";
  return !unwanted && ::isatty(STDOUT_FILENO) == 1 ? Colour::On : Colour::Off;
}

std::string coloured(std::string_view text, int code, Colour colour) {
  if (colour == Colour::Off) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::optional<Window> window_of_stdout() {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
  if (!known || size.ws_row == 0 || size.ws_col == 0) return std::nullopt;
  return Window{.rows = size.ws_row, .columns = size.ws_col};
}

std::vector<std::string> fit(std::string_view text, const Window& window) {
  const auto lines = lines_of(text);
  const bool all = lines.size() <= window.rows;
  const std::size_t whole = all ? lines.size() : std::max<std::size_t>(window.rows, 1) - 1;
  std::vector<std::string> fitted;
  for (std::size_t i = 0; i < whole; ++i) fitted.push_back(cut(lines[i], window.columns));
  if (!all) {
    fitted.push_back(cut(fmt::format("... {} more lines", lines.size() - whole), window.columns));
  }
  return fitted;
}

}  // namespace perch::cli
