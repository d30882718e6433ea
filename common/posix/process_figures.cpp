// SPDX-License-Identifier: Apache-2.0
#include "common/posix/process_figures.h"

#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "common/posix/file.h"

namespace perch {
namespace {

std::optional<double> cpu_seconds() {
  timespec spent{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) != 0) return std::nullopt;
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) / 1e9;
}

// /proc/self/statm: size and resident, in pages (proc(5)).
void read_memory(ProcessFigures& figures) {
  const auto text = read_file("/proc/self/statm");
  if (!text) return;
  std::istringstream fields(*text);
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  if (!(fields >> size >> resident)) return;
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  figures.virtual_bytes = size * page;
  figures.resident_bytes = resident * page;
}

// The directory itself is open while it is counted.
std::optional<std::uint64_t> open_fds() {
  namespace fs = std::filesystem;
  std::error_code failure;
  std::uint64_t count = 0;
  for (fs::directory_iterator fd("/proc/self/fd", failure), end; !failure && fd != end;
       fd.increment(failure)) {
    ++count;
  }
  if (failure || count == 0) return std::nullopt;
  return count - 1;
}

std::optional<std::uint64_t> max_fds() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
  return limit.rlim_cur;
}

}  // namespace

ProcessFigures own_process_figures() {
  ProcessFigures figures;
  figures.cpu_seconds = cpu_seconds();
  read_memory(figures);
  figures.open_fds = open_fds();
  figures.max_fds = max_fds();
  return figures;
}

}  // namespace perch
