// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/metrics/metrics.h"

#include <fmt/format.h>

#include <utility>

#include "common/http/exposition.h"
#include "common/http/process_families.h"
#include "common/value/human.h"

namespace perch::peer {
namespace {

using enum Exposition::Type;

void download_families(Exposition& out, const Traffic& traffic) {
  out.family("perch_peer_downloads_started_total", Counter, "Downloads that began.");
  out.sample({}, traffic.downloads_started);
  out.family("perch_peer_downloads_total", Counter, "Downloads that ended, by result.");
  out.sample({{"result", "finished"}}, traffic.downloads_finished);
  out.sample({{"result", "failed"}}, traffic.downloads_failed);
}

void origin_families(Exposition& out, const Traffic& traffic) {
  out.family("perch_peer_origin_requests_total", Counter, "Requests to origins.");
  out.sample({}, traffic.origin_requests);
  out.family("perch_peer_origin_request_errors_total", Counter,
             "Requests to origins that did not bring what they asked for.");
  out.sample({}, traffic.origin_errors);
  out.family("perch_peer_origin_bytes_total", Counter, "Bytes of bodies that came from origins.");
  out.sample({}, traffic.origin_bytes);
  out.family("perch_peer_resumed_bytes_total", Counter,
             "Bytes that an earlier process had fetched, and this one did not fetch again.");
  out.sample({}, traffic.resumed_bytes);
  out.family("perch_peer_refetched_bytes_total", Counter,
             "Bytes that were thrown away, and so are fetched again: changed or damaged.");
  out.sample({}, traffic.refetched_bytes);
}

void client_families(Exposition& out, const PeerFigures& figures) {
  out.family("perch_peer_active_calls", Gauge, "Download calls in progress.");
  out.sample({}, figures.calls);
  out.family("perch_peer_clients", Gauge, "Clients that are connected.");
  out.sample({}, figures.clients);
}

void store_families(Exposition& out, const Census& stored) {
  out.family("perch_peer_store_tasks", Gauge, "Tasks in the store, by state.");
  out.sample({{"state", "finished"}}, stored.finished_tasks);
  out.sample({{"state", "partial"}}, stored.tasks - stored.finished_tasks);
  out.family("perch_peer_store_bytes", Gauge, "Bytes in the store that need not be fetched again.");
  out.sample({}, stored.bytes);
}

std::string counted(std::uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

std::string to_metrics(const PeerFigures& figures) {
  Exposition out;
  out.family("perch_peer_build_info", Gauge, "The perch-peer that runs.");
  out.sample({{"version", figures.version}}, 1);
  download_families(out, figures.traffic);
  origin_families(out, figures.traffic);
  client_families(out, figures);
  store_families(out, figures.stored);
  process_families(out, "the peer", figures.process, figures.started_at);
  return std::move(out).take();
}

std::string status_line(const PeerFigures& figures) {
  return fmt::format("{} of {}; {} finished, {} from origins", counted(figures.calls, "call"),
                     counted(figures.clients, "client"),
                     counted(figures.traffic.downloads_finished, "download"),
                     human_bytes(figures.traffic.origin_bytes));
}

}  // namespace perch::peer
