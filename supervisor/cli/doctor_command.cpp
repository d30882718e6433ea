// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/doctor_command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "common/posix/file.h"
#include "common/value/text.h"
#include "supervisor/config/render.h"
#include "supervisor/doctor/advice.h"
#include "supervisor/doctor/examination.h"
#include "supervisor/process/capability_set.h"
#include "supervisor/process/spawn.h"

namespace perch::cli {
namespace {

// Of sd_listen_fds(3), which whoever knows it has in its program or in the library it loads.
constexpr std::string_view kListenFds = "LISTEN_FDS";
constexpr std::size_t kLargestProgram = 256U << 20U;

bool mentions(const std::string& program, std::string_view word) {
  const auto bytes = read_file(program, kLargestProgram);
  return bytes && bytes->contains(word);
}

bool knows_listen_fds(const std::string& program) {
  const char* const path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe)
  for (const std::string& candidate :
       process::exec_candidates(program, path == nullptr ? "" : path)) {
    std::error_code error;
    if (std::filesystem::is_regular_file(candidate, error)) return mentions(candidate, kListenFds);
  }
  return false;
}

bool has_capabilities() {
  const auto effective = process::CapabilitySet::effective();
  return effective && !effective->empty();
}

// A comment of the configuration, whatever the line has in it.
void say(std::string_view line) { fmt::print("# {}\n", printable(line)); }

void tell_how_it_went(const doctor::Examined& examined) {
  for (const std::string& path : examined.spared) {
    say(fmt::format("{} is in use: it was kept from taking it away from its owner", path));
  }
  if (!examined.blindness.empty()) {
    say(fmt::format("some of its calls could not be read: {}; run as root, or as its user",
                    examined.blindness));
  }
  if (examined.ended) {
    say(fmt::format("it ended by itself, with {} {}; what it printed is above",
                    examined.ended->by_signal ? "signal" : "status", examined.ended->status));
  }
  if (examined.had_to_be_killed) say("it did not end on SIGTERM, and was killed");
}

}  // namespace

int doctor_command(const DoctorOptions& options) {
  const auto examined = doctor::examine({options.command, options.patience});
  if (!examined) {
    fmt::print(stderr, "perch: doctor: {}\n", examined.error().text());
    return static_cast<int>(ExitCode::SystemRefused);
  }
  say(fmt::format("perch doctor -- {}", fmt::join(options.command, " ")));
  tell_how_it_went(*examined);
  const doctor::Advice advice = doctor::advise(
      doctor::habits_of(examined->calls),
      {options.command, knows_listen_fds(options.command.front()), has_capabilities()});
  for (const std::string& line : advice.findings) say(line);
  if (!advice.config) {
    say("it was seen listening on no Unix stream socket of its own: nothing to propose");
    return static_cast<int>(ExitCode::NotDone);
  }
  for (const std::string& line : advice.reasons) say(line);
  fmt::print("\n{}", config::to_short_toml(*advice.config));
  return static_cast<int>(ExitCode::Stopped);
}

}  // namespace perch::cli
