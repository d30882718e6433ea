// SPDX-License-Identifier: Apache-2.0
// perch puts its own program where another image will find it.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "common/posix/file.h"
#include "tests/support/perch_process.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestProgram = 256U << 20U;

std::string bytes(const std::string& path) {
  return read_file(path, kLargestProgram).value_or("(unreadable)");
}

std::ptrdiff_t entries(const std::string& directory) {
  return std::distance(fs::directory_iterator(directory), fs::directory_iterator());
}

// A refusal: one line that names the place, and nothing is left behind.
void check_refused(const std::string& place, const std::string& why) {
  const Finished finished = run_perch({"install", place});
  CHECK(finished.ending == exited(1));
  CHECK(finished.err.contains(why));
  CHECK(std::ranges::count(finished.err, '\n') == 1);
}

}  // namespace

TEST_CASE("perch installs itself as a file, or into a directory, and the copy runs") {
  const TemporaryDirectory directory;
  for (const std::string& place : {directory.path(), directory.path("other")}) {
    const std::string target = place == directory.path() ? directory.path("perch") : place;
    const Finished finished = run_perch({"install", place});
    CHECK(finished.ending == exited(0));
    CHECK(finished.out.contains("is installed as " + target));
    CHECK(bytes(target) == bytes(perch_binary()));
    struct stat found{};
    REQUIRE(::stat(target.c_str(), &found) == 0);
    CHECK((found.st_mode & 07777) == 0755);
    CHECK(run({.argv = {target, "version"}}).out.starts_with("perch "));
  }
  CHECK(entries(directory.path()) == 2);
}

TEST_CASE("it says of a program that needs libraries that it does") {
  const TemporaryDirectory directory;
  const Finished finished = run_perch({"install", directory.path()});
  CHECK(finished.err.contains("this is not the static build"));
  CHECK(std::ranges::count(finished.err, '\n') == 1);
}

TEST_CASE("a perch that runs is replaced in one step, and runs on") {
  const TemporaryDirectory directory;
  const std::string target = directory.path("perch");
  REQUIRE(run_perch({"install", target}).ending == exited(0));
  Process running({.argv = {target, "run", "--control", "none", "--", "sleep", "1000"}});
  REQUIRE(wait_until([&] { return running.err().contains("is pid"); }));
  struct stat before{};
  REQUIRE(::stat(target.c_str(), &before) == 0);
  CHECK(run_perch({"install", target}).ending == exited(0));
  struct stat after{};
  REQUIRE(::stat(target.c_str(), &after) == 0);
  CHECK(before.st_ino != after.st_ino);
  running.signal(SIGTERM);
  CHECK(running.wait() == exited(0));
}

TEST_CASE("a place that cannot be is refused on one line, and nothing is left there") {
  const TemporaryDirectory directory;
  check_refused("/nonexistent/perch", "make a file in /nonexistent: No such file or directory");
  check_refused("/proc", "make a file in /proc: ");
  fs::create_directories(directory.path("a/perch"));
  check_refused(directory.path("a"), "rename: Is a directory");
  CHECK(entries(directory.path("a")) == 1);
  CHECK(run_perch({"install"}).ending == exited(2));
  CHECK(run_perch({"install", ""}).ending == exited(2));
}

TEST_CASE("a user without rights installs where he may write, and is refused elsewhere") {
  if (!have(is_root(), "needs root: another user")) return;
  const TemporaryDirectory directory;
  const std::string perch = directory.path("perch");
  REQUIRE(run_perch({"install", perch}).ending == exited(0));
  const std::string volume = directory.path("volume");
  fs::create_directory(volume);
  REQUIRE(::chmod(directory.path().c_str(), 0755) == 0);
  const Command as_nobody{.argv = {"setpriv", "--reuid", "65534", "--regid", "65534",
                                   "--clear-groups", perch, "install", volume}};
  const Finished refused = run(as_nobody);
  CHECK(refused.ending == exited(1));
  CHECK(refused.err.contains("Permission denied; give a place that this user may write to"));
  REQUIRE(::chown(volume.c_str(), 65534, 65534) == 0);
  CHECK(run(as_nobody).ending == exited(0));
  CHECK(bytes(volume + "/perch") == bytes(perch));
}

}  // namespace perch::test
