// SPDX-License-Identifier: Apache-2.0
#include "supervisor/config/control_place.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace perch::config {

std::string default_control(const ControlPlaces& places) {
  if (places.run_perch_usable) return "/run/perch/control.sock";
  // A relative one is to be ignored, says the XDG specification.
  if (places.xdg_runtime_dir.starts_with('/')) return places.xdg_runtime_dir + "/perch.sock";
  return "";
}

ControlPlaces control_places() {
  const char* const runtime_dir = std::getenv("XDG_RUNTIME_DIR");  // NOLINT(concurrency-mt-unsafe)
  const bool writable = ::access("/run/perch", W_OK | X_OK) == 0;
  const bool makeable = !writable && errno == ENOENT && ::access("/run", W_OK | X_OK) == 0;
  return {.run_perch_usable = writable || makeable,
          .xdg_runtime_dir = runtime_dir == nullptr ? "" : runtime_dir};
}

}  // namespace perch::config
