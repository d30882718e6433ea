// SPDX-License-Identifier: Apache-2.0
// OriginServer: tests/fixtures/origin.py, running.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace perch::test {

class OriginServer {
 public:
  explicit OriginServer(const std::vector<std::string>& arguments = {});

  // "http://127.0.0.1:port" + path; https with --certificate.
  [[nodiscard]] std::string url(const std::string& path) const;
  [[nodiscard]] const std::string& port() const noexcept { return port_; }
  // What it says of itself; asking is not counted.
  [[nodiscard]] nlohmann::json stats() const;
  // Body bytes it has sent.
  [[nodiscard]] std::uint64_t bytes_sent() const;
  // What curl gets of it.
  [[nodiscard]] std::string sha256_of(const std::string& path) const;

 private:
  std::string scheme_;
  Process process_;
  std::string port_;
};

// "sha256:<hex>" of a file.
std::string sha256_of(const std::string& path);

}  // namespace perch::test
