// SPDX-License-Identifier: Apache-2.0
// CurlLoop: libcurl's multi interface on our loop. curl tells which sockets to watch and when to
// wake up; nothing here blocks. Outlives every Transfer that runs on it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "common/loop/fd_watcher.h"
#include "common/loop/loop.h"
#include "common/loop/timer.h"

namespace perch::peer {

class CurlLoop {
 public:
  // `connections` at most, those that idle included.
  CurlLoop(Loop& loop, std::size_t connections);
  ~CurlLoop();
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;

  // Runs an easy handle; `on_end` gets the CURLcode, outside of any curl call, so that it may
  // remove and add handles.
  void add(void* easy, std::function<void(int code)> on_end);
  // Not from one of curl's own callbacks. No on_end follows.
  void remove(void* easy);

 private:
  struct Callbacks;  // those that curl calls
  struct Cleanup {
    void operator()(void* multi) const noexcept;
  };

  void watch(void* easy, int socket, int what);
  void act(int socket, int events);
  void collect();
  void end(void* easy, int code);

  Loop& loop_;
  Timer timer_;
  std::map<int, FdWatcher> watchers_;
  std::map<void*, std::function<void(int)>> running_;
  std::vector<void*> unwatched_;          // to be ended: their sockets cannot be watched
  std::unique_ptr<void, Cleanup> multi_;  // closed first: it lets go of its sockets
};

}  // namespace perch::peer
