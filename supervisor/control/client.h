// SPDX-License-Identifier: Apache-2.0
// One request to a running perch's control socket, blocking, for the client commands.
#pragma once

#include <chrono>
#include <string>

#include "common/value/error.h"

namespace perch::control {

struct Response {
  int status = 0;  // HTTP status code
  std::string body;
};

// `method` GET or POST. Fails when the socket cannot be reached or does not answer within
// `timeout`.
Result<Response> request(const std::string& socket_path, const std::string& method,
                         const std::string& target, std::chrono::milliseconds timeout);

}  // namespace perch::control
