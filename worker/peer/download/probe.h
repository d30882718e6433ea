// SPDX-License-Identifier: Apache-2.0
// Probe: asks an origin what the file is now. A request for one byte tells length, version and
// whether ranges are known; a HEAD is refused by many that sign their URLs for GET. Where the
// answer to a range makes no sense (multipart, an unknown total), the whole file is asked for, and
// the answer cut off when it has said enough.
#pragma once

#include <expected>
#include <functional>
#include <memory>

#include "worker/peer/download/download_room.h"
#include "worker/peer/download/transfer.h"

namespace perch::peer {

class Probe {
 public:
  using OnEnd = std::function<void(std::expected<OriginFacts, Failure>)>;

  // `on_end` is called once and may destroy the Probe.
  Probe(const DownloadRoom& room, const OriginRequest& origin, ConnectionSlots::Slot slot,
        OnEnd on_end);

 private:
  void ask(const std::optional<Part>& part);
  void on_answer(const OriginAnswer& answer, const std::optional<Failure>& problem);

  const DownloadRoom& room_;
  const OriginRequest& origin_;
  ConnectionSlots::Slot slot_;
  OnEnd on_end_;
  bool by_range_ = true;
  std::size_t received_ = 0;
  std::unique_ptr<Transfer> transfer_;
};

}  // namespace perch::peer
