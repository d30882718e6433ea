// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/handover/hostile_worker.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <thread>
#include <vector>

#include "tests/support/wait_until.h"
#include "tests/unit/handover/hostile_memory.h"
#include "tests/unit/handover/i386_call.h"
#include "tests/unit/handover/intercept_scene.h"

namespace perch::test {
namespace {

constexpr int kProcesses = 6;
constexpr int kThreads = 24;
constexpr int kRounds = 100;

// Descriptors of each process, by number.
constexpr int kDirectory = 3;
constexpr int kFirstSlot = 40;  // bound, closed and replaced all the time
constexpr int kSlots = 8;
constexpr int kFirstSpared = 60;  // sockets that only ever bind another name
constexpr int kSpared = 4;
constexpr int kListener = 70;

void place(int made, int at) {
  ::dup2(made, at);
  ::close(made);
}

int any_slot(Random& random) { return kFirstSlot + static_cast<int>(random() % kSlots); }

std::uint64_t any_fd(Random& random) {
  static const std::vector<std::uint64_t> kFds{0, 1, 2, 1'000, 0xffffffff, 0x7fffffff, 0xffffff9c};
  return random() % 2 == 0 ? static_cast<std::uint64_t>(any_slot(random)) : one_of(random, kFds);
}

std::uint64_t any_base(Random& random) {
  static const std::vector<std::uint64_t> kBases{0, kDirectory, 1'000, 0xffffffff, 0xffffff9c};
  return one_of(random, kBases);
}

// Mostly that of a sockaddr_un, as most programs have it.
std::uint64_t any_size(Random& random) {
  static const std::vector<std::uint64_t> kSizes{0,  1,   2,   3,   10,  11,    12,         16,
                                                 28, 109, 111, 128, 129, 4'096, 0x80000000, ~0ULL};
  return random() % 2 == 0 ? 110 : one_of(random, kSizes);
}

void replace_slot(Random& random) {
  constexpr std::array<int, 3> kTypes{SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
  const bool is_directory = random() % 4 == 0;
  place(is_directory ? ::open("/", O_RDONLY | O_DIRECTORY)
                     : ::socket(AF_UNIX, kTypes.at(random() % kTypes.size()), 0),
        any_slot(random));
}

// Its arguments lie anywhere below 4 GiB.
void socketcall([[maybe_unused]] Random& random) {
#if defined(__x86_64__)
  static const bool kKnown = knows_i386_calls();
  const auto which = static_cast<std::uint32_t>(random() % 15);
  if (kKnown) i386_call(102, which, static_cast<std::uint32_t>(random()));
#endif
}

void call_on_names(const HostileMemory& memory, Random& random) {
  const std::uint64_t text = memory.text(random);
  switch (random() % 3) {
    case 0:
      ::syscall(SYS_unlinkat, any_base(random), text, random() % 4 == 0 ? AT_REMOVEDIR : 0);
      return;
    case 1:
      ::syscall(SYS_renameat2, any_base(random), text, any_base(random), memory.text(random),
                random() % 8);
      return;
    default:
      ::syscall(SYS_fchmodat, any_base(random), text, 0600);
  }
}

void call_on_sockets(const HostileMemory& memory, Random& random) {
  switch (random() % 6) {
    case 0:
      ::syscall(SYS_listen, any_fd(random), random());
      return;
    case 1:
      ::syscall(SYS_shutdown, kListener, random() % 4);
      return;
    case 2:
      ::syscall(SYS_connect, any_fd(random), memory.address(random), any_size(random));
      return;
    case 3:
      return socketcall(random);
    default:
      ::syscall(SYS_bind, any_fd(random), memory.address(random), any_size(random));
  }
}

std::uint64_t count_stolen(ino_t listener) {
  std::uint64_t stolen = 0;
  for (int at = kFirstSpared; at < kFirstSpared + kSpared; ++at) {
    if (inode_of(at) == listener) ++stolen;
  }
  return stolen;
}

void keep_calling(const HostileWorker& hostile, const HostileMemory& memory, Random& random) {
  ++hostile.tally.threads;
  for (int round = 0; round < kRounds; ++round) {
    if (round % 8 == 0) replace_slot(random);
    memory.shift(random);
    if (random() % 3 == 0) {
      call_on_names(memory, random);
    } else {
      call_on_sockets(memory, random);
    }
    ::syscall(SYS_bind, kFirstSpared + static_cast<int>(random() % kSpared), memory.other(),
              HostileMemory::kOtherSize);
    hostile.tally.calls += 2;
    if (round % 16 == 0) hostile.tally.stolen += count_stolen(hostile.listener_inode);
  }
}

[[noreturn]] void attack(const HostileWorker& hostile, Random::result_type seed) noexcept {
  const HostileMemory memory(hostile.listener);
  for (int at = 0; at < kSpared; ++at) place(worker::make(), kFirstSpared + at);
  Random random(seed);
  std::vector<std::thread> threads;
  for (int at = 0; at < kThreads; ++at) {
    threads.emplace_back(
        [&, own = Random(random())]() mutable { keep_calling(hostile, memory, own); });
  }
  for (std::thread& thread : threads) thread.join();
  ::_exit(0);
}

}  // namespace

int HostileWorker::run() const {
  if (::chdir(directory.c_str()) != 0) return 1;
  if (::geteuid() == 0 && ::chroot(".") != 0) return 2;
  if (::symlink("loop", "loop") != 0) return 3;
  place(::open(".", O_PATH | O_DIRECTORY), kDirectory);
  place(worker::make(), kListener);
  if (worker::bind(kListener, listener) != 0) return 4;

  Random random;
  std::vector<pid_t> children;
  while (tally.calls < wanted) {
    while (children.size() < kProcesses) {
      children.push_back(::fork());
      if (children.back() == 0) attack(*this, random());
    }
    // Many die amid their calls.
    if (random() % 16 == 0) ::kill(children[random() % children.size()], SIGKILL);
    std::erase_if(children,
                  [](pid_t child) { return ::waitpid(child, nullptr, WNOHANG) == child; });
    breathe();
  }
  for (const pid_t child : children) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  return 0;
}

}  // namespace perch::test
