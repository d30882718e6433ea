// SPDX-License-Identifier: Apache-2.0
// SocketWatch: hears what becomes of listening sockets, for any number of them on two descriptors:
// an inotify for the names and rights of their files, and an epoll for their shutting down, which
// alone is given to the loop. (libuv would set O_NONBLOCK on a listener it polls, and that flag is
// everybody's.) Connections make no news, nor do neighbours in the directory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "common/loop/fd_watcher.h"
#include "common/loop/loop.h"
#include "common/value/error.h"
#include "common/value/unique_fd.h"
#include "supervisor/listener/listener.h"

namespace perch::listener {

class SocketWatch {
 public:
  using Key = std::uint64_t;
  // May add and remove watches.
  struct Hearer {
    virtual ~Hearer() = default;
    // Something happened to the file's names, rights, or its directory.
    virtual void on_touched(Key key) = 0;
    // Nobody can connect to this socket any more. Told once.
    virtual void on_shut_down(Key key) = 0;
  };

  // The error says what the kernel refused and what to raise.
  static Result<std::unique_ptr<SocketWatch>> create(Loop& loop, Hearer& hearer);

  // The listener stays open until remove().
  Result<void> add(Key key, const Listener& listener);
  void remove(Key key) noexcept;
  // Tells of those that are shut down by now; one system call where there is none.
  void on_socket_events();

 private:
  explicit SocketWatch(Hearer& hearer) : hearer_(hearer) {}
  Result<void> start(Loop& loop);
  Result<void> add_watch(Key key, const std::string& path, std::uint32_t events);
  void on_file_events();

  Hearer& hearer_;
  UniqueFd inotify_;
  UniqueFd epoll_;
  std::optional<FdWatcher> file_watcher_;
  std::optional<FdWatcher> socket_watcher_;
  std::map<int, std::set<Key>> watches_;  // inotify's, several listeners may share a directory
  std::map<Key, int> sockets_;            // that are in the epoll
};

}  // namespace perch::listener
