// SPDX-License-Identifier: Apache-2.0
// The options of "perch-peer serve", as they fill PeerOptions.
#pragma once

#include <CLI/CLI.hpp>

#include "worker/peer/peer.h"

namespace perch::peer {

// Adds the command; `options` outlives the parsing.
CLI::App* add_serve(CLI::App& app, PeerOptions& options);

}  // namespace perch::peer
