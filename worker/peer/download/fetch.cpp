// SPDX-License-Identifier: Apache-2.0
#include "worker/peer/download/fetch.h"

#include <algorithm>
#include <utility>

namespace perch::peer {
namespace {

std::optional<Part> part_of(const Fetch::Job& job) {
  if (job.ask != Fetch::Job::Ask::Range) return std::nullopt;
  return Part{job.range, version_of(job.files.manifest().headers)};
}

}  // namespace

Fetch::Job::Ask how_to_ask(const OriginFacts& facts) {
  using enum Fetch::Job::Ask;
  if (!facts.length) return UnknownLength;
  return facts.ranges && !version_of(facts.headers).empty() ? Range : WholeFile;
}

Fetch::Fetch(const DownloadRoom& room, const Job& job, ConnectionSlots::Slot slot,
             Handlers handlers)
    : room_(room),
      job_(job),
      slot_(std::move(slot)),
      handlers_(std::move(handlers)),
      sink_(job.files, job.range, handlers_.on_piece),
      resume_(room.loop, [this](auto) { transfer_->resume(); }) {
  room_.traffic.origin_requests += 1;
  transfer_ = std::make_unique<Transfer>(
      room_.curl, room_.options, job_.origin, part_of(job_),
      Transfer::Handlers{.on_data = [this](const OriginAnswer& answer,
                                           auto data) { return on_data(answer, data); },
                         .on_end = [this](const OriginAnswer& answer,
                                          const auto& problem) { on_end(answer, problem); }});
}

// Inside curl: only notes what it sees.
Transfer::Next Fetch::on_data(const OriginAnswer& answer, std::span<const std::byte> data) {
  fits_ = !misfit(answer);
  if (!fits_) return Transfer::Next::Abort;
  const auto now = std::chrono::steady_clock::now();
  const auto wait = std::max(job_.rate.wait(now), room_.rate_in_all.wait(now));
  if (wait.count() > 0) {
    resume_.arm(wait);
    return Transfer::Next::Wait;
  }
  job_.rate.spend(data.size(), now);
  room_.rate_in_all.spend(data.size(), now);
  room_.traffic.origin_bytes += data.size();
  const std::uint64_t compared = sink_.compared();
  not_taken_ = sink_.put(data);
  room_.traffic.refetched_bytes += sink_.compared() - compared;
  const bool enough = not_taken_ || sink_.overflowed();
  return enough ? Transfer::Next::Abort : Transfer::Next::Go;
}

void Fetch::on_end(const OriginAnswer& answer, const std::optional<Failure>& problem) {
  resume_.disarm();
  const auto on_end = std::move(handlers_.on_end);
  on_end(*this, outcome(answer, problem));
}

std::optional<Failure> Fetch::outcome(const OriginAnswer& answer,
                                      const std::optional<Failure>& problem) const {
  if (not_taken_) return not_taken_;
  if (!fits_) return misfit(answer);
  // A part may have more bytes behind it, which are not taken; a whole file is as long as it is.
  if (sink_.overflowed() && job_.ask != Job::Ask::Range) {
    return changed_file();
  }
  if (sink_.full()) return std::nullopt;
  if (problem) return problem;
  if (auto refused = misfit(answer)) return refused;  // with no body
  if (job_.ask == Job::Ask::UnknownLength) return std::nullopt;
  if (job_.ask == Job::Ask::WholeFile) return changed_file();
  return Failure{Failure::Kind::Unavailable, "the origin sends less than was asked for"};
}

std::optional<Failure> Fetch::misfit(const OriginAnswer& answer) const {
  const bool ranged = job_.ask == Job::Ask::Range;
  return misfit_of(answer, job_.files.manifest(),
                   ranged ? std::optional(job_.range) : std::nullopt);
}

}  // namespace perch::peer
