// SPDX-License-Identifier: Apache-2.0
#include "supervisor/process/kernel_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <filesystem>

#include "common/posix/file.h"

namespace perch::process {
namespace {

using std::chrono::microseconds;

// More than the kernel keeps: who reads as many is behind somebody who floods the log.
constexpr int kMostRecords = 1 << 17;
constexpr std::size_t kMostVictims = 64;
constexpr std::chrono::seconds kRecent{5};

// PROC_PID_INIT_INO, include/linux/proc_ns.h: the same on every machine.
bool in_initial_pid_namespace() {
  std::error_code failure;
  return std::filesystem::read_symlink("/proc/self/ns/pid", failure) == "pid:[4026531836]";
}

// The kernel log's clock is not corrected, nor does it run while the machine is suspended.
microseconds log_clock() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return std::chrono::seconds(now.tv_sec) +
         std::chrono::duration_cast<microseconds>(std::chrono::nanoseconds(now.tv_nsec));
}

bool is_recent(const OomVictim& victim) {
  const microseconds age = log_clock() - victim.at;
  return age < kRecent && age > -kRecent;
}

}  // namespace

KernelLog KernelLog::open() {
  const Pids pids = in_initial_pid_namespace() ? Pids::Ours : Pids::Foreign;
  auto file = open_file("/dev/kmsg", O_RDONLY | O_NONBLOCK);
  if (!file || ::lseek(file->get(), 0, SEEK_END) < 0) return {UniqueFd(), pids};
  return {*std::move(file), pids};
}

// Each read() gives one record. The newest may be ours, so it is read to the end.
void KernelLog::read_on() {
  std::array<char, 8192> record;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  for (int i = 0; i < kMostRecords; ++i) {
    const ssize_t got = ::read(file_.get(), record.data(), record.size());
    // Records that were overwritten before they were read: it goes on with the oldest there is.
    if (got < 0 && (errno == EPIPE || errno == EINTR)) continue;
    if (got <= 0) return;
    auto victim = parse_oom_victim({record.data(), static_cast<std::size_t>(got)});
    if (!victim) continue;
    victims_.push_back(*std::move(victim));
    if (victims_.size() > kMostVictims) victims_.pop_front();
  }
  // What is not read now is nobody's evidence later.
  ::lseek(file_.get(), 0, SEEK_END);
}

// The latest: numbers come again.
std::optional<OomVictim> KernelLog::take_by_pid(pid_t pid) {
  const auto found = std::find_if(victims_.rbegin(), victims_.rend(),
                                  [&](const OomVictim& victim) { return victim.pid == pid; });
  if (found == victims_.rend()) return std::nullopt;
  OomVictim victim = std::move(*found);
  std::erase_if(victims_, [&](const OomVictim& other) { return other.pid == pid; });
  return victim;
}

std::optional<OomVictim> KernelLog::take_by_name(std::string_view name) {
  std::erase_if(victims_, [](const OomVictim& victim) { return !is_recent(victim); });
  const auto is_meant = [logged = as_logged(name)](const OomVictim& victim) {
    return victim.name == logged;
  };
  if (std::ranges::count_if(victims_, is_meant) != 1) return std::nullopt;
  const auto found = std::ranges::find_if(victims_, is_meant);
  OomVictim victim = std::move(*found);
  victims_.erase(found);
  return victim;
}

std::optional<OomVictim> KernelLog::find(pid_t pid, std::string_view name) {
  if (!file_) return std::nullopt;
  read_on();
  return pids_ == Pids::Ours ? take_by_pid(pid) : take_by_name(name);
}

}  // namespace perch::process
