// SPDX-License-Identifier: Apache-2.0
#include "supervisor/log.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/requirement.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/wait_until.h"
#include "tests/unit/log/pipe.h"

namespace perch {
namespace {

using config::LogFormat;
using config::LogLevel;
using test::make_pipe;
using test::read_available;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Of the message lines and of the lines that tell how many are missing.
struct Count {
  std::uint64_t messages = 0;
  std::uint64_t told_dropped = 0;
};

Count count(const std::string& output) {
  Count count;
  for (const auto& line : lines_of(output)) {
    const auto at = line.find("log: dropped ");
    if (at == std::string::npos) {
      ++count.messages;
    } else {
      count.told_dropped += std::strtoull(line.c_str() + at + 13, nullptr, 10);
    }
  }
  return count;
}

constexpr std::uint64_t kTooMany = 20'000;

void log_too_many(Log& log) {
  for (std::uint64_t i = 0; i < kTooMany; ++i) log.info("message number {}", i);
}

}  // namespace

TEST_CASE("a text line has time, level and message") {
  const auto ends = make_pipe();
  Log log(ends.write.get());
  log.configure(LogLevel::Debug, LogFormat::Text);
  log.info("worker {} is ready", "app");
  log.debug("d");
  log.warn("w");
  log.error("e");
  const auto lines = lines_of(read_available(ends.read));
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].size() ==
        std::string("2026-01-01T00:00:00.000Z info  worker app is ready").size());
  CHECK(lines[0].substr(10, 1) == "T");
  CHECK(lines[0].substr(23) == "Z info  worker app is ready");
  CHECK(lines[1].substr(23) == "Z debug d");
  CHECK(lines[2].substr(23) == "Z warn  w");
  CHECK(lines[3].substr(23) == "Z error e");
}

TEST_CASE("the level can be changed at any time") {
  const auto ends = make_pipe();
  Log log(ends.write.get());
  log.debug("not yet");
  log.configure(LogLevel::Debug, LogFormat::Text);
  log.debug("now");
  log.configure(LogLevel::Error, LogFormat::Text);
  log.warn("no more");
  CHECK(lines_of(read_available(ends.read)).size() == 1);
}

TEST_CASE("what is no terminal gets JSON, and it is valid whatever the bytes") {
  const auto ends = make_pipe();
  Log log(ends.write.get());
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte.push_back(static_cast<char>(byte));
  const std::vector<std::string> hostile{every_byte, "a\nb\r\n", "\"}{\\",
                                         "\xff\xfe", "\xe2\x82", std::string("\0x", 2)};
  for (const auto& message : hostile) log.info("{}", message);
  const auto lines = lines_of(read_available(ends.read));
  REQUIRE(lines.size() == hostile.size());
  for (const auto& line : lines) {
    const auto parsed = nlohmann::json::parse(line, nullptr, false);
    REQUIRE(parsed.is_object());
    CHECK(parsed.at("level") == "info");
    CHECK(parsed.at("time").get<std::string>().size() == 24);
    CHECK(parsed.at("message").is_string());
  }
  CHECK(nlohmann::json::parse(lines[1]).at("message") == "a\nb\r\n");
}

TEST_CASE("in text no control character leaves the line it is in") {
  const auto ends = make_pipe();
  Log log(ends.write.get());
  log.configure(LogLevel::Info, LogFormat::Text);
  log.info("{}",
           "a\nb\tc\x1b[2Jd\xc2\x9b"
           "e\x7f");
  CHECK(read_available(ends.read).substr(24) == " info  a\\nb\\tc\\x1b[2Jd\\x9be\\x7f\n");
}

TEST_CASE("a reader that stopped costs lines, never a wait, and the count is told afterwards") {
  for (const bool socket : {false, true}) {
    CAPTURE(socket);
    const auto ends = socket ? test::make_socket_pair() : make_pipe();
    Log log(ends.write.get());
    log_too_many(log);
    CHECK(log.pending());
    CHECK(log.dropped() > 0);
    std::string output;
    const auto read_all = [&] {
      do {
        output += read_available(ends.read);
        log.flush();
      } while (log.pending());
      output += read_available(ends.read);
    };
    read_all();
    log.info("reader is back");
    read_all();
    const auto counted = count(output);
    CHECK(counted.told_dropped == log.dropped());
    CHECK(counted.messages + log.dropped() == kTooMany + 1);
  }
}

TEST_CASE("on a loop the rest and the count come without another message") {
  const auto ends = make_pipe();
  Loop loop;
  Log log(ends.write.get());
  REQUIRE(log.attach(loop));
  log_too_many(log);
  std::string output;
  CHECK(test::wait_until([&] {
    output += read_available(ends.read);
    loop.run_pending();
    return !log.pending() && count(output).told_dropped > 0;
  }));
  CHECK(count(output).told_dropped == log.dropped());
  CHECK(count(output).messages + log.dropped() == kTooMany);
}

TEST_CASE("on a loop a storm is one line a second, with its count") {
  const auto ends = make_pipe();
  Loop loop;
  Log log(ends.write.get());
  REQUIRE(log.attach(loop));
  for (int i = 0; i < 413; ++i) log.warn("again");
  CHECK(lines_of(read_available(ends.read)).size() == 1);
  loop.run();  // ends when the count was told
  const auto told = lines_of(read_available(ends.read));
  REQUIRE(told.size() == 1);
  CHECK(nlohmann::json::parse(told[0]).at("message") == "again (repeated 412 times)");
  CHECK(nlohmann::json::parse(told[0]).at("level") == "warn");
  log.detach();
}

TEST_CASE("another line tells the count first, and so does the end") {
  const auto ends = make_pipe();
  Loop loop;
  Log log(ends.write.get());
  log.configure(LogLevel::Info, LogFormat::Text);
  REQUIRE(log.attach(loop));
  for (int i = 0; i < 3; ++i) log.info("again");
  log.error("again");
  log.error("again");
  log.detach();
  const auto lines = lines_of(read_available(ends.read));
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].substr(24) == " info  again");
  CHECK(lines[1].substr(24) == " info  again (repeated 2 times)");
  CHECK(lines[2].substr(24) == " error again");
  CHECK(lines[3].substr(24) == " error again");
}

TEST_CASE("lines that differ in a number are different events") {
  const auto ends = make_pipe();
  Loop loop;
  Log log(ends.write.get());
  REQUIRE(log.attach(loop));
  for (int i = 0; i < 100; ++i) log.info("worker app: generation {} ended", i);
  CHECK(lines_of(read_available(ends.read)).size() == 100);
  log.detach();
}

TEST_CASE("nothing is watched while nothing is pending") {
  const auto ends = make_pipe();
  Loop loop;
  Log log(ends.write.get());
  REQUIRE(log.attach(loop));
  log.info("one");
  loop.run();  // ends at once: no handle is active
  CHECK_FALSE(log.pending());
}

TEST_CASE("a reader that went away costs lines, not perch") {
  std::signal(SIGPIPE, SIG_IGN);
  auto ends = make_pipe();
  Log log(ends.write.get());
  log_too_many(log);
  ends.read.reset();
  log.info("nobody hears this");
  CHECK_FALSE(log.pending());
  CHECK(log.dropped() > 0);
}

TEST_CASE("a closed stderr costs lines") {
  auto ends = make_pipe();
  const int closed = ends.write.get();
  ends.write.reset();
  Log log(closed);
  Loop loop;
  REQUIRE(log.attach(loop));
  log.info("into the void");
  CHECK(log.dropped() == 1);
  loop.run();
  log.detach();
}

TEST_CASE("a full disk costs lines, each counted once") {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  REQUIRE(full);
  Log log(full.get());
  for (int i = 0; i < 100; ++i) log.error("no room for {}", i);
  CHECK(log.dropped() == 100);
  CHECK_FALSE(log.pending());
}

TEST_CASE("a regular file gets every line, after what it had") {
  const test::TemporaryDirectory directory;
  const auto path = directory.path("log");
  test::write_text(path, "before\n");
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC));
  Log log(file.get());
  log_too_many(log);
  CHECK(log.dropped() == 0);
  const UniqueFd again(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  CHECK(count(read_available(again)).messages == kTooMany + 1);
}

TEST_CASE("the flags of the description that others share stay as they are") {
  for (const bool socket : {false, true}) {
    CAPTURE(socket);
    const auto ends = socket ? test::make_socket_pair() : make_pipe();
    const int before = ::fcntl(ends.write.get(), F_GETFL);
    Loop loop;
    Log log(ends.write.get());
    REQUIRE(log.attach(loop));
    log_too_many(log);
    loop.run_pending();
    CHECK(::fcntl(ends.write.get(), F_GETFL) == before);
  }
}

TEST_CASE("a pipe that belongs to another user is written without a wait, too") {
  if (!test::have(test::is_root(), "needs root: setresuid")) return;
  const auto ends = make_pipe();
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    if (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
    Log log(ends.write.get());
    log_too_many(log);
    const bool shared_is_blocking = (::fcntl(ends.write.get(), F_GETFL) & O_NONBLOCK) == 0;
    ::_exit(log.dropped() > 0 && shared_is_blocking ? 0 : 1);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK(count(read_available(ends.read)).messages > 0);
}

}  // namespace perch
