// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/worker/origin_server.h"

#include <algorithm>
#include <stdexcept>

#include "common/posix/file.h"
#include "tests/support/requirement.h"
#include "tests/support/temporary_directory.h"
#include "worker/peer/store/digest.h"

namespace perch::test {
namespace {

std::vector<std::string> origin_command(const std::vector<std::string>& arguments) {
  std::vector<std::string> argv{"python3", from_build("ORIGIN")};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

}  // namespace

OriginServer::OriginServer(const std::vector<std::string>& arguments)
    : scheme_(std::ranges::find(arguments, "--certificate") == arguments.end() ? "http" : "https"),
      process_({.argv = origin_command(arguments)}) {
  if (!wait_until([&] { return process_.out().ends_with("\n"); })) {
    throw std::runtime_error("the origin does not start: " + process_.err());
  }
  const std::string line = process_.out();
  port_ = line.substr(5, line.size() - 6);
}

std::string OriginServer::url(const std::string& path) const {
  return scheme_ + "://127.0.0.1:" + port_ + path;
}

nlohmann::json OriginServer::stats() const {
  return nlohmann::json::parse(run({.argv = {"curl", "-sSk", url("/stats")}}).out);
}

std::uint64_t OriginServer::bytes_sent() const { return stats().at("bytes").get<std::uint64_t>(); }

std::string OriginServer::sha256_of(const std::string& path) const {
  const TemporaryDirectory directory;
  const std::string file = directory.path("expected");
  const auto got = run({.argv = {"curl", "-sSk", "-o", file, url(path)}});
  if (got.ending != exited(0)) throw std::runtime_error(got.err);
  return test::sha256_of(file);
}

std::string sha256_of(const std::string& path) {
  const auto content = read_file(path, std::size_t{1} << 30U);
  if (!content) throw std::runtime_error(content.error().text());
  peer::Hasher hasher(peer::HashKind::Sha256);
  hasher.add(*content);
  return "sha256:" + hasher.hex();
}

}  // namespace perch::test
