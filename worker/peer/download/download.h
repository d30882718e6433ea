// SPDX-License-Identifier: Apache-2.0
// Download: one task on its way from the origin to the store, shared by all calls that want it.
// It checks what an earlier life left, asks the origin what the file is now, and fetches what is
// missing over a few connections. Pieces of two versions are never mixed: a stored task that is not
// what the origin has now is begun anew; a change in the middle ends the download.
// Lives on the loop, owned by its subscribers; when the last one leaves, fetching stops and what is
// finished stays in the store.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/loop/timer.h"
#include "worker/peer/download/curl_loop.h"
#include "worker/peer/download/piece_sink.h"
#include "worker/peer/download/range_plan.h"
#include "worker/peer/download/transfer.h"
#include "worker/peer/store/store.h"

namespace perch::peer {

struct DownloadSpec {
  std::string id;
  OriginRequest origin;
  std::optional<std::uint64_t> piece_length;  // else it follows from the file's length
};

struct Failure {
  enum class Kind { NotFound, Denied, Unsupported, Unavailable, Changed, NoSpace, Internal };
  Kind kind;
  std::string reason;
};

class Download : public std::enable_shared_from_this<Download> {
 public:
  class Subscriber {
   public:
    virtual ~Subscriber() = default;
    // Something below has changed. Never from within a call to the Download.
    virtual void on_progress() = 0;
  };
  // What it works with; all of it outlives every Download.
  struct Room {
    Loop& loop;
    CurlLoop& curl;
    const Store& store;
    std::size_t connections;  // at most, for one task
  };

  Download(const Room& room, DownloadSpec spec);
  void begin();
  ~Download();

  void subscribe(Subscriber& subscriber);
  void unsubscribe(Subscriber& subscriber);

  [[nodiscard]] const DownloadSpec& spec() const noexcept { return spec_; }
  [[nodiscard]] const std::optional<Failure>& failure() const noexcept { return failure_; }
  // Whether layout and stored pieces are known; files() exists from then on.
  [[nodiscard]] bool known() const noexcept { return known_; }
  [[nodiscard]] const TaskFiles& files() const { return files_.value(); }
  // Pieces in the order in which they were finished, those of earlier lives first.
  [[nodiscard]] const std::vector<std::uint32_t>& finished() const noexcept { return finished_; }
  [[nodiscard]] bool complete() const { return known_ && finished_.size() == layout().count(); }

 private:
  struct Fetch;

  [[nodiscard]] const PieceLayout& layout() const { return files_->layout(); }
  void verify_next();
  void probe();
  void on_probed(const OriginAnswer& answer, const std::string& problem);
  void settle(const OriginFacts& facts);
  void start_fetching(bool origin_has_ranges);
  void fetch_more();
  void start(ByteRange range);
  Transfer::Next on_data(Fetch& fetch, const OriginAnswer& answer, std::span<const std::byte> data);
  void on_fetched(Fetch& fetch, const OriginAnswer& answer, const std::string& problem);
  void on_piece(std::uint32_t number);
  void try_again(std::string reason);
  void fail(Failure failure);
  void fail(const Error& error);
  void tell();

  Room room_;
  DownloadSpec spec_;
  std::vector<Subscriber*> subscribers_;
  std::optional<TaskFiles> files_;
  std::optional<RangePlan> plan_;
  std::vector<std::uint32_t> finished_;
  std::optional<Failure> failure_;
  bool known_ = false;
  bool ranges_ = false;  // the origin knows them
  std::uint32_t next_to_verify_ = 0;
  int failures_in_row_ = 0;
  std::unique_ptr<Transfer> probe_;
  std::vector<std::unique_ptr<Fetch>> fetches_;
  Timer step_;  // the next piece to verify, or the next try
  Timer news_;  // subscribers are told in a turn of their own
};

}  // namespace perch::peer
