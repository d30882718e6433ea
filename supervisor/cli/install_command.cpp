// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/install_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/auxv.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "common/posix/file.h"

namespace perch::cli {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kMode = 0755;
constexpr std::size_t kChunk = 1U << 20U;

// A dynamic program has been loaded by another one (getauxval(3)).
bool is_static() { return ::getauxval(AT_BASE) == 0; }

fs::path target_of(const fs::path& place) {
  std::error_code error;
  return fs::is_directory(place, error) ? place / "perch" : place;
}

Result<void> copy_whole(int from, int to) {
  for (;;) {
    const ssize_t moved = ::sendfile(to, from, nullptr, kChunk);
    if (moved == 0) return {};
    if (moved < 0 && errno != EINTR) return fail("copy");
  }
}

Result<void> fill(int from, int to) {
  if (auto copied = copy_whole(from, to); !copied) return copied;
  if (::fchmod(to, kMode) != 0) return fail("fchmod");
  if (::fsync(to) != 0) return fail("fsync");
  return {};
}

Result<void> install(const fs::path& target) {
  const auto own = open_file("/proc/self/exe", O_RDONLY);
  if (!own) return std::unexpected(own.error());
  const fs::path directory = target.has_parent_path() ? target.parent_path() : ".";
  std::string temporary = directory / ".perch-XXXXXX";
  const UniqueFd copy(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!copy) return fail("make a file in " + directory.string());
  Result<void> done = fill(own->get(), copy.get());
  if (done && ::rename(temporary.c_str(), target.c_str()) != 0) done = fail("rename");
  if (done) return done;
  ::unlink(temporary.c_str());
  return fail_within(target.string(), std::move(done.error()));
}

}  // namespace

int install_command(const InstallOptions& options) {
  const fs::path target = target_of(options.place);
  if (const auto installed = install(target); !installed) {
    fmt::print(stderr, "perch: install: {}; give a place that this user may write to\n",
               installed.error().text());
    return static_cast<int>(ExitCode::SystemRefused);
  }
  fmt::print("perch {} is installed as {}\n", PERCH_VERSION, target.string());
  if (!is_static()) {
    fmt::print(stderr,
               "perch: install: this is not the static build (-Dstatic=true): it runs only where "
               "the libraries of this image are\n");
  }
  return static_cast<int>(ExitCode::Stopped);
}

}  // namespace perch::cli
