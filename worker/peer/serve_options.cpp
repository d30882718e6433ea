// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/serve_options.h"

#include <cstdlib>

namespace perch::peer {

CLI::App* add_serve(CLI::App& app, PeerOptions& options) {
  auto* serve = app.add_subcommand("serve", "Serve Dragonfly's download API");
  serve->add_option("--store", options.store, "Directory that keeps tasks and pieces")->required();
  auto* socket = serve->add_option("--socket", options.socket,
                                   "Path to listen on when perch does not hand over a listener");
  if (std::getenv(worker::kChannelVariable) == nullptr) socket->required();
  serve->add_option("--connections", options.connections, "To the origin, for one task")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  serve->footer("Exit status: 0 asked to stop, 1 the system refused, 2 usage.");
  return serve;
}

}  // namespace perch::peer
