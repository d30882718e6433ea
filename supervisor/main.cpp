// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <string_view>
#include <variant>

#include "supervisor/cli/check_command.h"
#include "supervisor/cli/doctor_command.h"
#include "supervisor/cli/events_command.h"
#include "supervisor/cli/install_command.h"
#include "supervisor/cli/keep_command.h"
#include "supervisor/cli/options.h"
#include "supervisor/cli/ready_command.h"
#include "supervisor/cli/reload_command.h"
#include "supervisor/cli/run_command.h"
#include "supervisor/cli/status_command.h"
#include "supervisor/cli/worker_command.h"
#include "supervisor/termination_log.h"

namespace {

using namespace perch::cli;

struct Dispatch {
  int operator()(const RunOptions& options) const { return run_command(options); }
  int operator()(const CheckOptions& options) const { return check_command(options); }
  int operator()(const DoctorOptions& options) const { return doctor_command(options); }
  int operator()(const KeepOptions& options) const { return keep_command(options); }
  int operator()(const StatusOptions& options) const { return status_command(options); }
  int operator()(const EventsOptions& options) const { return events_command(options); }
  int operator()(const WorkerOptions& options) const { return worker_command(options); }
  int operator()(const ReloadOptions& options) const { return reload_command(options); }
  int operator()(const ReadyOptions& options) const { return ready_command(options); }
  int operator()(const InstallOptions& options) const { return install_command(options); }
  int operator()(const VersionOptions& /*options*/) const {
    std::puts("perch " PERCH_VERSION);
    return 0;
  }
};

}  // namespace

int main(int argc, char** argv) {
  const auto command = parse_options(argc, argv, environment());
  if (command) return std::visit(Dispatch{}, *command);
  const bool out = command.error().stream == ExitWithText::Stream::Out;
  std::fputs(command.error().text.c_str(), out ? stdout : stderr);
  // A container whose arguments are wrong ends here.
  const bool runs = argc > 1 && std::string_view(argv[1]) == "run";
  if (runs && !out) perch::leave_last_words(command.error().text);
  return static_cast<int>(command.error().code);
}
