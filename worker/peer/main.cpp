// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <curl/curl.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "worker/peer/client/get.h"
#include "worker/peer/peer.h"
#include "worker/peer/serve_options.h"

namespace {

using namespace perch::peer;
using std::chrono::steady_clock;

constexpr int kExitTrouble = 1;
constexpr int kExitUsage = 2;

int serve(const PeerOptions& options, steady_clock::time_point started) {
  // Without one nothing of earlier processes is believed unseen.
  const std::string boot_id = current_boot_id().value_or("");
  auto store = Store::open(options.store,
                           {boot_id, [](const std::string& line) { spdlog::warn("{}", line); }});
  if (!store) {
    spdlog::error("{}", store.error().text());
    return kExitTrouble;
  }
  Peer peer(options, std::move(*store), started);
  const auto ended = peer.run();
  if (!ended) spdlog::error("{}", ended.error().text());
  return ended ? EXIT_SUCCESS : kExitTrouble;
}

CLI::App* add_get(CLI::App& app, GetOptions& options) {
  auto* get = app.add_subcommand("get", "Download a URL through a peer");
  get->add_option("url", options.url, "http or https")->required();
  get->add_option("-O,--output", options.output, "The file to write")->required();
  get->add_option("--socket", options.socket, "The peer's socket")->required();
  get->add_option("--digest", options.digest, "What the file must have: sha256:<hex>");
  get->add_option("--timeout", options.timeout_seconds,
                  "Seconds in all, with all that is asked again")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  get->footer(
      "Exit status: 0 done, 1 the output cannot be written, 2 usage, 3 refused by the peer or the\n"
      "origin, 4 not done in time, 5 wrong digest.");
  return get;
}

// The command's name and a space, where there is one.
std::string chosen(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  return commands.empty() ? "" : commands.front()->get_name() + " ";
}

}  // namespace

int main(int argc, char** argv) {
  const auto started = steady_clock::now();
  spdlog::set_default_logger(spdlog::stderr_logger_st("perch-peer"));
  CLI::App app("A peer that downloads by pieces and survives its own death under perch");
  app.name("perch-peer")->require_subcommand(1);
  PeerOptions peer_options;
  GetOptions get_options;
  const CLI::App* serve_command = add_serve(app, peer_options);
  add_get(app, get_options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "perch-peer: {}; see perch-peer {}--help\n", error.what(), chosen(app));
    return kExitUsage;
  }
  if (!*serve_command) return static_cast<int>(get(get_options));
  curl_global_init(CURL_GLOBAL_DEFAULT);
  return serve(peer_options, started);
}
