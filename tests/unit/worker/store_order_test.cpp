// SPDX-License-Identifier: Apache-2.0
// In which order the store's calls come, as the kernel sees them: a kill may lose nothing that was
// recorded, and neither may a power cut once a task is finished.
#include <doctest/doctest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include "tests/unit/worker/store_tools.h"

namespace perch::peer {
namespace {

using SyscallInfo = struct __ptrace_syscall_info;

// Those that write, or wait for a disk.
const std::map<std::uint64_t, std::string> kCalls{
    {SYS_pwrite64, "pwrite"}, {SYS_write, "write"}, {SYS_renameat, "rename in"},
    {SYS_fsync, "fsync"},     {SYS_sync, "sync"},   {SYS_fdatasync, "fdatasync"},
    {SYS_syncfs, "syncfs"},   {SYS_msync, "msync"}};

// "call file", or nothing when it is another call, or its end.
std::string call_of(pid_t child) {
  SyscallInfo info{};
  REQUIRE(::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) > 0);
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return {};
  const auto call = kCalls.find(info.entry.nr);
  if (call == kCalls.end()) return {};
  const auto file = "/proc/" + std::to_string(child) + "/fd/" + std::to_string(info.entry.args[0]);
  std::error_code none;  // not all of them have a file
  return call->second + " " + std::filesystem::read_symlink(file, none).filename().string();
}

// What a child calls while it works.
std::vector<std::string> calls_of(const std::function<bool()>& work) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    (void)::raise(SIGSTOP);
    ::_exit(work() ? 0 : 1);
  }
  int status = wait_for(child);
  const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
  REQUIRE(::ptrace(PTRACE_SETOPTIONS, child, nullptr, options) == 0);
  std::vector<std::string> calls;
  for (;;) {
    REQUIRE(::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr) == 0);
    status = wait_for(child);
    if (!WIFSTOPPED(status)) break;
    if (auto call = call_of(child); !call.empty()) calls.push_back(std::move(call));
  }
  CHECK(status == 0);
  return calls;
}

using Calls = std::vector<std::string>;

}  // namespace

TEST_CASE("received bytes are written, then recorded, and no disk is waited for") {
  const StoreWorld world;
  const Store store = world.open();
  auto files = store.create(kId, manifest_of(2500));
  REQUIRE(files.has_value());
  const std::string data(300, 'x');
  CHECK(calls_of([&] { return files->append(0, bytes(data)).has_value(); }) ==
        Calls{"pwrite data", "pwrite state"});
  const std::string piece(kPiece, 'y');
  CHECK(calls_of([&] { return files->append(1, bytes(piece)).has_value(); }) ==
        Calls{"pwrite data", "pwrite state"});
}

TEST_CASE("a manifest is on the disk before it has its name, and so is all that it vouches for") {
  const StoreWorld world;
  const Store store = world.open();
  auto files = store.create(kId, manifest_of(500));
  REQUIRE(files.has_value());
  put(*files, 0, 'x');
  CHECK(calls_of([&] { return files->mark_finished("").has_value(); }) ==
        Calls{"fdatasync data", "fsync state", "pwrite manifest.new", "fsync manifest.new",
              "rename in " + kId, "fsync " + kId});
}

}  // namespace perch::peer
