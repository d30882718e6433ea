// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "worker/peer/client/client_options.h"
#include "worker/peer/client/terminal.h"
#include "worker/peer/peer.h"
#include "worker/peer/serve_options.h"
#include "worker/peer/service/caller.h"

namespace {

using namespace perch::peer;
using std::chrono::steady_clock;

constexpr int kExitTrouble = 1;
constexpr int kExitUsage = 2;

// Where one is closed the next file would get its number, and what is printed would go there.
void open_standard_descriptors() {
  int fd = -1;
  do {
    fd = ::open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) ::close(fd);
}

int serve(const PeerOptions& options, steady_clock::time_point started) {
  spdlog::set_default_logger(spdlog::stderr_logger_st("perch-peer"));
  curl_global_init(CURL_GLOBAL_DEFAULT);
  give_up_reserves();
  (void)std::signal(SIGXFSZ, SIG_IGN);  // a limit on file sizes is an error like a full disk
  (void)std::signal(SIGPIPE, SIG_IGN);  // nobody reads the log any more: no reason to end
  // Without a boot id nothing of earlier processes is believed unseen.
  const std::string boot_id = current_boot_id().value_or("");
  auto store = Store::open(options.store,
                           {.boot_id = boot_id,
                            .on_fault = [](const std::string& line) { spdlog::warn("{}", line); },
                            .max_bytes = options.keep.max_bytes});
  if (!store) {
    spdlog::error("{}", store.error().text());
    return kExitTrouble;
  }
  Peer peer(options, std::move(*store), started);
  const auto ended = peer.run();
  if (!ended) spdlog::error("{}", ended.error().text());
  return ended ? EXIT_SUCCESS : kExitTrouble;
}

int print_version() {
  std::puts("perch-peer " PERCH_VERSION);
  return EXIT_SUCCESS;
}

// The command's name and a space, where there is one.
std::string chosen(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  return commands.empty() ? "" : commands.front()->get_name() + " ";
}

}  // namespace

int main(int argc, char** argv) {
  const auto started = steady_clock::now();
  open_standard_descriptors();
  CLI::App app("A peer that downloads by pieces and survives its own death under perch");
  app.name("perch-peer")->require_subcommand(1);
  app.set_version_flag("--version", "perch-peer " PERCH_VERSION, "Print the version");
  PeerOptions peer_options;
  const CLI::App* const serve_command = add_serve(app, peer_options);
  ClientCommands client(app);
  auto* const version = app.add_subcommand("version", "Print the version");
  version->footer("Exit status: 0 done.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    say(fmt::format("perch-peer: {}; see perch-peer {}--help\n", error.what(), chosen(app)));
    return kExitUsage;
  }
  if (*version) return print_version();
  return *serve_command ? serve(peer_options, started) : static_cast<int>(client.run());
}
