// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/serve_options.h"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>

namespace perch::peer {
namespace {

const std::map<std::string, std::uint64_t> kSeconds{{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
constexpr std::uint64_t kMost = 1ULL << 62U;
constexpr std::uint64_t kYear = 365ULL * 86400;

std::string not_a_url(const std::string& text) {
  const bool is_one = text.starts_with("http://") || text.starts_with("https://");
  return is_one ? "" : "not an http or https URL";
}

void add_downloads(CLI::App& serve, DownloadOptions& options) {
  serve.add_option("--connections", options.connections_per_task, "To the origin, for one task")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  serve.add_option("--connections-in-all", options.connections_in_all, "To all origins")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  serve.add_option("--rate", options.rate_in_all, "SIZE a second from all origins; 0: no limit")
      ->transform(CLI::AsSizeValue(false).description(""))
      ->check(CLI::Range(std::uint64_t{0}, kMost).description(""))
      ->type_name("SIZE");
  serve.add_option("--rate-per-task", options.rate_per_task, "SIZE a second for one task")
      ->transform(CLI::AsSizeValue(false).description(""))
      ->check(CLI::Range(std::uint64_t{0}, kMost).description(""))
      ->type_name("SIZE");
  serve
      .add_option("--upstream-proxy", options.upstream_proxy,
                  "URL of an HTTP proxy to fetch through, as a Dragonfly peer has one")
      ->check(CLI::Validator(not_a_url, ""));
  serve
      .add_option("--ca-file", options.ca_file,
                  "Authorities (PEM) that https origins are checked with; else the system's")
      ->check(CLI::ExistingFile);
}

void add_service_limits(CLI::App& serve, ServiceLimits& limits) {
  const auto bounded = [&](const char* name, auto& value, std::size_t most, const char* what) {
    serve.add_option(name, value, what)
        ->check(CLI::Range(std::size_t{1}, most))
        ->capture_default_str();
  };
  bounded("--max-clients", limits.clients, 10'000, "Connections at once");
  bounded("--max-streams", limits.streams, 1'000, "Calls at once on one connection");
  bounded("--max-downloads", limits.calls, 10'000, "DownloadTask calls at once, in all");
  bounded("--max-queued", limits.queued_bytes, std::size_t{1} << 30U,
          "Bytes that gRPC may hold for all clients");
  serve
      .add_option_function<std::size_t>(
          "--idle-timeout",
          [&limits](std::size_t seconds) { limits.idle_timeout = std::chrono::seconds(seconds); },
          "Seconds until a client that does nothing is let go")
      ->check(CLI::Range(1, 86400))
      ->default_str(std::to_string(limits.idle_timeout.count()));
}

}  // namespace

CLI::App* add_serve(CLI::App& app, PeerOptions& options) {
  auto* serve = app.add_subcommand("serve", "Serve Dragonfly's download API");
  serve->add_option("--store", options.store, "Directory that keeps tasks and pieces")->required();
  serve->add_option("--store-max", options.keep.max_bytes, "What the store keeps at most: 20GiB")
      ->transform(CLI::AsSizeValue(false).description(""))
      ->check(CLI::Range(std::uint64_t{1}, kMost).description(""))
      ->type_name("SIZE");
  serve
      ->add_option_function<std::uint64_t>(
          "--store-age",
          [&options](std::uint64_t age) { options.keep.max_age = std::chrono::seconds(age); },
          "How long it keeps what is not used: 7d")
      ->transform(
          CLI::AsNumberWithUnit(kSeconds, CLI::AsNumberWithUnit::UNIT_REQUIRED).description(""))
      ->check(CLI::Range(std::uint64_t{1}, 10 * kYear).description(""))
      ->type_name("DURATION");
  auto* socket = serve->add_option("--socket", options.socket,
                                   "Path to listen on when perch does not hand over a listener");
  if (std::getenv(worker::kChannelVariable) == nullptr) socket->required();
  serve->add_option("--metrics", options.metrics,
                    "Path for GET /metrics when perch does not hand over a listener for it");
  add_downloads(*serve, options.downloads);
  add_service_limits(*serve, options.service);
  serve->footer("Exit status: 0 asked to stop, 1 the system refused, 2 usage.");
  return serve;
}

}  // namespace perch::peer
