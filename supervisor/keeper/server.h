// SPDX-License-Identifier: Apache-2.0
// KeepServer: a keeper's socket, who may come, and whose the kept things are. The connection is the
// ownership: while an owner's is open nobody else gets anything, so that a perch that lives is
// never robbed; what it said last is heard before another is believed. An owner whose connection
// ended without a BYE is waited for until its process is gone too (Peer::lives).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "common/loop/fd_watcher.h"
#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "common/posix/fd_passing.h"
#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/keeper/peer.h"
#include "supervisor/keeper/protocol.h"
#include "supervisor/keeper/store.h"
#include "supervisor/listener/listener.h"
#include "supervisor/log.h"

namespace perch::keeper {

// Where the keeper runs: an OOM kill that takes all of perch's container spares one that is apart.
enum class Place { Apart, SameContainer };

struct ServerOptions {
  std::string path;
  std::set<uid_t> users{};  // beside root and the keeper's own
  Place place = Place::Apart;
};

class KeepServer {
 public:
  // Takes the path over from a dead keeper, never from a live one (listener::claim). The last
  // directory of the path is made where it is missing. The socket goes with the server.
  static Result<std::unique_ptr<KeepServer>> open(Loop& loop, Log& log, ServerOptions options);
  ~KeepServer();
  KeepServer(const KeepServer&) = delete;
  KeepServer& operator=(const KeepServer&) = delete;

  [[nodiscard]] std::size_t count() const noexcept { return store_.size(); }

 private:
  using Number = decltype(Peer::number);

  KeepServer(Loop& loop, Log& log, ServerOptions options, listener::Listener socket);
  Result<void> watch();
  void on_connections();
  void admit(UniqueFd connection);
  void make_room();
  void forget_the_dead();
  void hear(Number number);
  void end(Number number);

  // False: the peer is gone.
  bool receive_from(Number number);
  bool serve(Peer& peer, Datagram datagram);
  bool greet(Peer& peer, UniqueFd life);
  bool keep(Peer& peer, const Request& request, Datagram datagram);
  bool hand_next(const Peer& peer, const std::string& after);
  bool say(const Peer& peer, const std::string& text, std::span<const int> fds = {});
  bool refuse_and_end(const Peer& peer, const std::string& why);
  bool refuse_unknown(const Peer& peer);
  // Empty: it may ask.
  [[nodiscard]] std::string why_not_let_in(const Peer& peer) const;
  // Whose it is; empty: nobody's, for this peer.
  std::string owner_but(const Peer& peer);

  Loop& loop_;
  Log& log_;
  ServerOptions options_;
  listener::Listener socket_;
  std::optional<FdWatcher> watcher_;
  Timer accept_later_;  // there was no descriptor for who waits
  Store store_;
  Number last_number_ = 0;
  std::map<Number, std::unique_ptr<Peer>> peers_;
  Number owner_ = 0;                         // 0: nobody
  std::unique_ptr<Peer> departed_;           // the last owner, which may still live
  std::chrono::milliseconds death_takes_{};  // how long its end is waited for, once
};

}  // namespace perch::keeper
