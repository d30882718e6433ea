// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/probe.h"

#include <utility>

namespace perch::peer {

Probe::Probe(const DownloadRoom& room, const OriginRequest& origin, ConnectionSlots::Slot slot,
             OnEnd on_end)
    : room_(room), origin_(origin), slot_(std::move(slot)), on_end_(std::move(on_end)) {
  ask(Part{{0, 1}, {}});
}

void Probe::ask(const std::optional<Part>& part) {
  by_range_ = part.has_value();
  received_ = 0;
  room_.traffic.origin_requests += 1;
  transfer_ = std::make_unique<Transfer>(
      room_.curl, room_.options, origin_, part,
      Transfer::Handlers{.on_data =
                             [this](const OriginAnswer& answer, auto data) {
                               received_ += data.size();
                               room_.traffic.origin_bytes += data.size();
                               const bool asked_for = answer.status == 206 && received_ == 1;
                               return asked_for ? Transfer::Next::Go : Transfer::Next::Abort;
                             },
                         .on_end = [this](const OriginAnswer& answer,
                                          const auto& problem) { on_answer(answer, problem); }});
}

void Probe::on_answer(const OriginAnswer& answer, const std::optional<Failure>& problem) {
  // An answer that was cut off on purpose has a problem, too, but has said what it is.
  const bool said = answer.status >= 200 && (answer.status < 300 || answer.status >= 400);
  const bool lasting = problem && problem->kind == Failure::Kind::Unsupported;
  auto facts = problem && (lasting || !said) ? std::unexpected(*problem) : facts_of(answer);
  const bool senseless = answer.status == 206 || answer.status == 416;
  if (!facts && by_range_ && senseless && !lasting) return ask(std::nullopt);
  const auto on_end = std::move(on_end_);
  on_end(std::move(facts));
}

}  // namespace perch::peer
