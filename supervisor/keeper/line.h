// SPDX-License-Identifier: Apache-2.0
// Line: perch's end of the connection to its keeper. It fetches what an earlier perch left there,
// then brings the keeper up to date, one key after the other. A keeper that is away, refuses or
// hangs costs nothing but the try: while there is no connection one is tried again by a timer,
// after 0.1 s at first and every 5 s at last; while there is one nothing runs but the deadline of a
// request that is under way.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/loop/fd_watcher.h"
#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "common/posix/fd_passing.h"
#include "common/posix/notify_message.h"
#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/keeper/proof_of_life.h"

namespace perch::keeper {

class Line {
 public:
  struct Fetched {
    std::string key;
    std::string facts;
    std::vector<UniqueFd> fds;
  };
  struct Offer {
    std::string facts;
    std::vector<int> fds;  // lent for the moment of the call
  };

  // None of these may destroy the line. What was touched and was not kept or dropped when a
  // connection ends is forgotten.
  class Owner {
   public:
    virtual ~Owner() = default;
    // Once for each connection: all that is kept there.
    virtual void on_connected(std::vector<Fetched> kept) = 0;
    // What is to be kept under this key now; nothing: it is to be dropped.
    virtual std::optional<Offer> offer(const std::string& key) = 0;
    virtual void on_kept(const std::string& key) = 0;
    virtual void on_dropped(const std::string& key) = 0;
    // A keeper that refuses to keep something, or, with the connection gone, all that ends one.
    virtual void on_trouble(const std::string& why) = 0;
  };

  static constexpr std::chrono::milliseconds kLongestAnswer{5'000};
  // A connection whose request is not answered for so long is ended, and tried anew. Loop, owner
  // and life outlive the line.
  Line(Loop& loop, std::string path, Owner& owner, ProofOfLife& life,
       std::chrono::milliseconds longest_answer = kLongestAnswer);
  // As leave().
  ~Line();
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  // One try, if there is no connection.
  void connect();
  // Ends the connection and tries no more until connect(). Takes leave if all was said: what
  // is kept is for the next perch. Else that one has to wait for our end, since what we use still
  // may be kept there.
  void leave();
  // What is offered under this key may have changed.
  void touch(const std::string& key);
  // Works until nothing is under way, for as long as this at most; false: something still is.
  bool settle(std::chrono::milliseconds patience);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] bool connected() const noexcept { return phase_ == Phase::Connected; }
  // While connected: an OOM kill that takes all of this container spares the keeper.
  [[nodiscard]] bool is_apart() const noexcept { return apart_; }

 private:
  enum class Phase { Away, Greeting, Fetching, Connected };

  Result<void> open();
  [[nodiscard]] bool busy() const noexcept;
  void hear();
  // False: nothing more is there.
  bool receive_one();
  void greet();
  void on_overdue();
  void on_answer(Datagram answer);
  void on_welcome(const NotifyMessage& answer);
  void on_fetched(const NotifyMessage& answer, std::vector<UniqueFd> fds);
  void on_done(const NotifyMessage& answer);
  void ask(const std::string& request, std::span<const int> fds = {});
  void ask_next();
  void lose(const std::string& why);
  void hang_up();

  std::string path_;
  Owner& owner_;
  ProofOfLife& life_;
  UniqueFd socket_;
  std::optional<FdWatcher> watcher_;
  Loop& loop_;
  Timer retry_;
  std::chrono::milliseconds longest_answer_;
  Timer overdue_;  // while a request is under way
  std::chrono::milliseconds patience_{};
  Phase phase_ = Phase::Away;
  bool apart_ = false;
  std::vector<Fetched> fetched_;  // while fetching
  std::set<std::string> touched_;
  std::string asked_;  // the key of the request under way
};

}  // namespace perch::keeper
