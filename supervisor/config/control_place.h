// SPDX-License-Identifier: Apache-2.0
// Where the control socket is when nobody says: /run/perch, else $XDG_RUNTIME_DIR, else nowhere.
// perch and its client commands choose by the same rule, so that `perch status` in the same
// container needs no option.
#pragma once

#include <string>

namespace perch::config {

struct ControlPlaces {
  bool run_perch_usable = false;  // /run/perch can be written, or made
  std::string xdg_runtime_dir;    // empty: unset
};

// Pure. Empty: none.
std::string default_control(const ControlPlaces& places);

// Of this process, now.
ControlPlaces control_places();

}  // namespace perch::config
