// SPDX-License-Identifier: Apache-2.0
#include "supervisor/termination_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "common/posix/file.h"
#include "common/value/text.h"

namespace perch {
namespace {

std::string place() {
  const char* const named = std::getenv("PERCH_TERMINATION_LOG");  // NOLINT(concurrency-mt-unsafe)
  return named == nullptr ? "/dev/termination-log" : named;
}

}  // namespace

void leave_last_words(std::string_view why) {
  // Not blocking: it may be a pipe.
  const auto file = open_file(place(), O_WRONLY | O_APPEND | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
  struct stat found{};
  if (!file || ::fstat(file->get(), &found) != 0 || !S_ISREG(found.st_mode)) return;
  std::string line = (found.st_size > 0 ? "\n" : "") + printable(why);
  line.resize(std::min(line.size(), kMaxLastWords));
  [[maybe_unused]] const auto written = ::write(file->get(), line.data(), line.size());
}

}  // namespace perch
