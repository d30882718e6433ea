// SPDX-License-Identifier: Apache-2.0
// The images of packaging/docker, and beside them those that stand for a user's. What the
// Dockerfiles take from a registry or compile comes from this machine: the static perch, and
// Debian's nginx.
#pragma once

#include "tests/containers/podman.h"

namespace perch::test {

// packaging/docker/Dockerfile, its last stage.
void build_perch_image(const Podman& podman);
inline constexpr const char* kPerchImage = "localhost/perch:0.1";
inline constexpr unsigned kPerchUser = 65532;

// FROM perch, with the static test-worker as /app.
void build_worker_image(const Podman& podman);
inline constexpr const char* kWorkerImage = "localhost/worker";

// Nothing but the test-worker, as /app, and the clients, as /clients.
void build_bare_image(const Podman& podman);
inline constexpr const char* kBareImage = "localhost/bare";

// packaging/docker/nginx.Dockerfile, over an image with Debian's nginx.
void build_nginx_image(const Podman& podman);
inline constexpr const char* kNginxImage = "localhost/web";

}  // namespace perch::test
