// SPDX-License-Identifier: Apache-2.0
// Download: one task on its way from the origin to the store, shared by all calls that want it.
// It believes or checks what an earlier life left, asks the origin what the file is now, fetches
// what is missing over a few connections, and holds the whole against the digests its callers
// expect. Versions of a file are never mixed: a stored task that is not what the origin has now is
// begun anew; when it changes in the middle this download ends, and the next one begins anew.
// Lives on the loop, owned by its subscribers; when the last one leaves, fetching stops and what
// has come stays in the store.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/timer.h"
#include "worker/peer/download/backoff.h"
#include "worker/peer/download/download_room.h"
#include "worker/peer/download/fetch.h"
#include "worker/peer/download/piece_check.h"
#include "worker/peer/download/probe.h"
#include "worker/peer/download/range_plan.h"
#include "worker/peer/download/verification.h"

namespace perch::peer {

struct DownloadSpec {
  std::string id;
  OriginRequest origin;
  std::optional<std::uint64_t> piece_length = {};  // else it follows from the file's length
  std::optional<Digest> digest = {};               // that the caller expects
};

class Download : public std::enable_shared_from_this<Download>, private ConnectionSlots::Task {
 public:
  class Subscriber {
   public:
    virtual ~Subscriber() = default;
    // Something below has changed. Never from within a call to the Download.
    virtual void on_progress() = 0;
    // Only what somebody wants is fetched, but where an origin gives whole files alone.
    [[nodiscard]] virtual bool wants(ByteRange /*bytes*/) const { return true; }
  };
  using Verdict = Verification::Verdict;

  Download(const DownloadRoom& room, DownloadSpec spec);
  ~Download() override;

  void begin();
  // One more digest that is to be held against the whole file; false when there are too many.
  [[nodiscard]] bool want(const Digest& digest);
  void fail(Failure failure);
  void subscribe(Subscriber& subscriber);
  void unsubscribe(Subscriber& subscriber);

  [[nodiscard]] const std::optional<Failure>& failure() const noexcept { return failure_; }
  // It may be joined: neither failed nor found to be not what anybody wants.
  [[nodiscard]] bool alive() const noexcept { return !failure_ && !discarded_; }
  // Whether layout and stored pieces are known; files() exists from then on.
  [[nodiscard]] bool known() const noexcept { return known_; }
  [[nodiscard]] const TaskFiles& files() const { return files_.value(); }
  // Pieces in the order in which they were finished, those of earlier lives first. One that had to
  // be fetched again comes again.
  [[nodiscard]] const std::vector<std::uint32_t>& finished() const noexcept { return finished_; }
  // Whole, and no more to be fetched. A caller that expects a digest asks for its verdict, too.
  [[nodiscard]] bool complete() const noexcept { return complete_; }
  [[nodiscard]] Verdict verdict(const Digest& digest) const {
    return verification_.verdict(digest);
  }

 private:
  [[nodiscard]] const PieceLayout& layout() const { return files_->layout(); }
  [[nodiscard]] bool all_done() const { return files_->done_count() == layout().count(); }
  void later(void (Download::*what)(), std::chrono::milliseconds delay = {});

  void check_next();
  void resume();
  void ask();
  void on_slot(ConnectionSlots::Slot slot) override;
  void on_crowded() override;
  void on_probed(const std::expected<OriginFacts, Failure>& facts);
  void settle(const OriginFacts& facts);
  void begin_generation(const OriginFacts& facts, const PieceLayout& layout);
  void drop_files();
  void fetch_missing();
  void announce();
  void start(ByteRange range, ConnectionSlots::Slot slot);
  void on_fetched(Fetch& fetch, const std::optional<Failure>& failure);
  void go_on();
  void on_piece(std::uint32_t number);
  void on_failure(const Failure& failure);
  void examine();
  void fetch_again();
  void conclude();
  void discard();
  void tell();

  const DownloadRoom& room_;
  DownloadSpec spec_;
  std::vector<Subscriber*> subscribers_;
  std::optional<TaskFiles> files_;
  std::optional<RangePlan> plan_;  // none while the origin is to be asked what the file is
  std::vector<std::uint32_t> finished_;
  std::optional<Failure> failure_;
  bool known_ = false;
  bool complete_ = false;
  bool discarded_ = false;
  bool from_nothing_ = false;  // what is stored is not to be gone on with
  Fetch::Job::Ask how_ = Fetch::Job::Ask::Range;
  PieceCheck check_;
  Backoff backoff_;
  RangePlan::IsWanted wanted_;  // by a subscriber
  TokenBucket rate_;
  Verification verification_;
  std::unique_ptr<Probe> probe_;
  std::vector<std::unique_ptr<Fetch>> fetches_;
  Timer step_;  // the next thing to do, by itself; nobody asks the origin before
  Timer news_;  // subscribers are told in a turn of their own
};

}  // namespace perch::peer
