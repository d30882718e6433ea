// SPDX-License-Identifier: Apache-2.0
// Fetch: one answer of the origin on its way to the disk: a range of the file, or all of it. It
// holds to the rates by leaving the connection unread, and takes no byte of another version.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "common/loop/timer.h"
#include "worker/peer/download/download_room.h"
#include "worker/peer/download/piece_sink.h"
#include "worker/peer/download/transfer.h"

namespace perch::peer {

class Fetch {
 public:
  // What it is about; the task outlives it.
  struct Job {
    const OriginRequest& origin;
    TaskFiles& files;
    TokenBucket& rate;
    ByteRange range;
    enum class Ask { Range, WholeFile, UnknownLength } ask;
  };
  struct Handlers {
    PieceSink::OnPiece on_piece;
    // Once; no failure when all of the range came. May destroy the Fetch.
    std::function<void(Fetch&, std::optional<Failure>)> on_end;
  };

  Fetch(const DownloadRoom& room, const Job& job, ConnectionSlots::Slot slot, Handlers handlers);

  [[nodiscard]] ByteRange range() const noexcept { return job_.range; }
  // Where in the file it is.
  [[nodiscard]] std::uint64_t at() const noexcept { return sink_.at(); }
  // Bytes that were new.
  [[nodiscard]] std::uint64_t stored() const noexcept { return sink_.stored(); }

 private:
  Transfer::Next on_data(const OriginAnswer& answer, std::span<const std::byte> data);
  void on_end(const OriginAnswer& answer, const std::optional<Failure>& problem);
  [[nodiscard]] std::optional<Failure> outcome(const OriginAnswer& answer,
                                               const std::optional<Failure>& problem) const;
  [[nodiscard]] std::optional<Failure> misfit(const OriginAnswer& answer) const;

  const DownloadRoom& room_;
  Job job_;
  ConnectionSlots::Slot slot_;
  Handlers handlers_;
  PieceSink sink_;
  bool fits_ = true;                  // the answer's head, as far as there is one
  std::optional<Failure> not_taken_;  // by the sink
  Timer resume_;
  std::unique_ptr<Transfer> transfer_;
};

// Parts are asked for only of a version that has a name: others could not be told apart.
Fetch::Job::Ask how_to_ask(const OriginFacts& facts);

}  // namespace perch::peer
