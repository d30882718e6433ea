// SPDX-License-Identifier: Apache-2.0
// HttpServer: HTTP/1.1 on a listening socket of any kind. It never blocks, and clients cannot take
// from perch what its workers need: so many connections, 64 KiB a request, so much time for each,
// and so many descriptors left free for a spawn. Where a limit is reached, the oldest client to
// whom no answer is owed makes room for the next one: sleepers keep nobody out.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>

#include "common/http/http_connection.h"
#include "common/loop/fd_watcher.h"
#include "common/loop/loop.h"
#include "common/loop/timer.h"
#include "common/value/error.h"
#include "common/value/unique_fd.h"

namespace perch {

struct HttpLimits {
  std::size_t connections = 64;
  std::chrono::milliseconds time{5'000};  // for a request, a reply, and between requests
  std::size_t spare_descriptors = 16;     // stay free whatever clients do
};

class HttpServer {
 public:
  // Looks at a new client: who gives him his answers. One who may not ask gets a request refused
  // rather than a door shut: a client that is hung up on while it still sends sees no reason.
  using Admit = std::function<HttpConnection::Answer(int socket)>;

  // `listener` is borrowed: non-blocking and nobody else's.
  static Result<std::unique_ptr<HttpServer>> create(Loop& loop, int listener,
                                                    const HttpLimits& limits, Admit admit);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Hangs up on whoever follows a stream. Not to be called by a stream.
  void end_streams();

 private:
  HttpServer(Loop& loop, int listener, const HttpLimits& limits, Admit admit);
  void listen() { watcher_->watch({.readable = true}); }
  void accept_some();
  void on_accept_failed(int number);
  void welcome(UniqueFd socket);
  bool has_room(int socket) const;
  bool make_room();

  Loop& loop_;
  int listener_;
  HttpLimits limits_;
  Admit admit_;
  std::optional<FdWatcher> watcher_;
  Timer resume_;
  std::list<std::unique_ptr<HttpConnection>> connections_;  // the oldest first
};

}  // namespace perch
