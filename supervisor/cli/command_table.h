// SPDX-License-Identifier: Apache-2.0
// The commands of perch, in the order in which help shows them. Parser and help both go by this
// table.
#pragma once

#include <array>
#include <string_view>

namespace perch::cli {

struct CommandEntry {
  std::string_view name;
  std::string_view arguments;  // as a synopsis has them
  std::string_view help;
};

inline constexpr auto kCommands = std::to_array<CommandEntry>({
    {"run", "[-c FILE] [--listen [NAME=]PATH]... [OPTIONS] [-- COMMAND ARG...]",
     "own the sockets and keep the workers running"},
    {"check", "[-c FILE] [--diff] [OPTIONS] [-- COMMAND ARG...]",
     "validate, and print what would run, or what a reload would change"},
    {"doctor", "[--timeout TIME] -- COMMAND ARG...",
     "run a command once, see what it does with its sockets, and propose a configuration"},
    {"keep", "[--socket PATH] [--user USER]... [-- COMMAND ARG...]",
     "keep a perch's sockets while it is killed and started again; or be its parent as well"},
    {"status", "[WORKER] [--watch [SECONDS]] [--json] [--control PATH]",
     "what a running perch knows of its workers and listeners"},
    {"events", "[-f] [--json] [--since ID] [--control PATH]",
     "what has happened, and with -f what happens"},
    {"restart", "[WORKER | --all] [--no-wait] [--timeout TIME] [--control PATH]",
     "end a worker, start it anew, and wait until it is ready"},
    {"stop", "[WORKER | --all] [--no-wait] [--timeout TIME] [--control PATH]",
     "stop a worker; its socket stays, and clients wait"},
    {"start", "[WORKER | --all] [--no-wait] [--timeout TIME] [--control PATH]",
     "start a worker that is stopped, given up or backing off"},
    {"reload", "[--control PATH]", "read the configuration again and apply what changed"},
    {"ready", "[--control PATH]", "exit 0 if every required worker is ready (for exec probes)"},
    {"install", "PATH", "copy this program to a place where another image finds it"},
    {"version", "", "print the version"},
});

}  // namespace perch::cli
