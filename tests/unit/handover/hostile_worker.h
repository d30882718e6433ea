// SPDX-License-Identifier: Apache-2.0
// HostileWorker: a tree of processes, each of many threads, that do nothing but make the calls that
// a filter stops, with arguments that are wrong in every way there is, while addresses change under
// the reader's eyes, descriptors are replaced and whole processes are killed amid their calls.
// It spares what would prove nothing: a call that perch leaves to the kernel may find other
// arguments there than perch has seen, so the names to delete and rename, and the descriptor to
// shut down, stay what they are.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>

namespace perch::test {

struct HostileWorker {
  // Shared by all of its processes.
  struct Tally {
    std::atomic<std::uint64_t> calls;    // that were answered
    std::atomic<std::uint64_t> threads;  // that made calls
    std::atomic<std::uint64_t> stolen;   // sockets that have the listener and never bound its path
  };

  Tally& tally;
  std::string directory;  // becomes the working directory and, for root, the root
  std::string listener;   // a name in it
  ino_t listener_inode;
  std::uint64_t wanted;  // calls

  // Until all wanted calls were made; then none of its processes is left. An exit code.
  [[nodiscard]] int run() const;
};

}  // namespace perch::test
