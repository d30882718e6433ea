// SPDX-License-Identifier: Apache-2.0
#include "supervisor/output_capture.h"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "supervisor/line_tail.h"
#include "tests/support/wait_until.h"
#include "tests/unit/log/pipe.h"

namespace perch {
namespace {

using config::CaptureFormat;
using std::chrono::milliseconds;
using test::make_pipe;
using test::read_available;

// perch's own stdout and stderr, a capture before them, and the worker's ends.
struct Captured {
  explicit Captured(CaptureSettings settings = {}, milliseconds patience = OutputCapture::kPatience)
      : out_writer(out.write.get()), err_writer(err.write.get()), log(log_ends.write.get()) {
    REQUIRE(out_writer.attach(loop));
    REQUIRE(err_writer.attach(loop));
    auto created =
        OutputCapture::create(loop, {out_writer, err_writer, log}, {"app", 3}, settings, patience);
    REQUIRE(created);
    capture = std::move(*created);
    worker = capture->take_write_ends();
  }

  test::Ends out = make_pipe();
  test::Ends err = make_pipe();
  test::Ends log_ends = make_pipe();
  Loop loop;
  NonBlockingWriter out_writer;
  NonBlockingWriter err_writer;
  Log log;
  std::unique_ptr<OutputCapture> capture;
  OutputCapture::WriteEnds worker;
};

void say(const UniqueFd& fd, std::string_view text) {
  REQUIRE(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

constexpr std::size_t kFlood = 10U << 20U;

std::string flood_text() {
  std::string text;
  for (int line = 0; text.size() < kFlood; ++line) text += "line " + std::to_string(line) + "\n";
  return text;
}

// A worker that writes it all, waiting wherever it has to.
pid_t fork_flooder(const UniqueFd& to, const std::string& text) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::alarm(120);
  std::string_view rest(text);
  while (!rest.empty()) {
    const ssize_t wrote = ::write(to.get(), rest.data(), rest.size());
    if (wrote <= 0) ::_exit(1);
    rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
  ::_exit(0);
}

bool ended_well(pid_t child) {
  int status = -1;
  return ::waitpid(child, &status, WNOHANG) == child && status == 0;
}

}  // namespace

TEST_CASE("the tail keeps the last lines, each cut at its width") {
  LineTail tail;
  CHECK(tail.lines().empty());
  for (int line = 0; line < 25; ++line) tail.add("line " + std::to_string(line) + "\n");
  REQUIRE(tail.lines().size() == LineTail::kLines);
  CHECK(tail.lines().front() == "line 5");
  CHECK(tail.lines().back() == "line 24");
  tail.add(std::string(10'000, 'x'));
  tail.add(std::string(10'000, 'x') + "\nlast, without a new");
  tail.add("line");
  const auto lines = tail.lines();
  REQUIRE(lines.size() == LineTail::kLines);
  CHECK(lines[lines.size() - 2] == std::string(LineTail::kWidth, 'x'));
  CHECK(lines.back() == "last, without a newline");
}

TEST_CASE("captured output comes out untouched, and the last lines of stderr are kept") {
  Captured c;
  const std::string bytes("no newline, a \0 and \xff", 22);
  say(c.worker.out, bytes);
  say(c.worker.err, "first\nboom");
  std::string out;
  std::string err;
  CHECK(test::wait_until([&] {
    c.loop.run_pending();
    out += read_available(c.out.read);
    err += read_available(c.err.read);
    return out == bytes && err == "first\nboom";
  }));
  CHECK(c.capture->tail() == std::vector<std::string>{"first", "boom"});
  CHECK(c.capture->lost_bytes() == 0);
}

TEST_CASE("the last words of a dead worker are drained before the loop turns") {
  Captured c;
  say(c.worker.err, "out of cheese\n");
  c.worker.err.reset();
  c.capture->drain();
  CHECK(c.capture->tail() == std::vector<std::string>{"out of cheese"});
  CHECK(read_available(c.err.read) == "out of cheese\n");
}

TEST_CASE("the worker's ends are blocking, as a program expects of its stdout") {
  Captured c;
  CHECK((::fcntl(c.worker.out.get(), F_GETFL) & O_NONBLOCK) == 0);
  CHECK((::fcntl(c.worker.err.get(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("once the worker has closed its ends the capture is idle") {
  Captured c;
  c.worker.out.reset();
  c.worker.err.reset();
  c.loop.run();  // ends: nothing is watched any more
}

TEST_CASE("a flood loses nothing as long as somebody reads") {
  Captured c;
  const std::string text = flood_text();
  const pid_t child = fork_flooder(c.worker.out, text);
  c.worker.out.reset();
  std::string out;
  CHECK(test::wait_until([&] {
    c.loop.run_pending();
    out += read_available(c.out.read);
    return out.size() >= text.size();
  }));
  CHECK((out == text));
  CHECK(c.capture->lost_bytes() == 0);
  CHECK(test::wait_until([&] { return ended_well(child); }));
}

TEST_CASE("a reader that never reads stops neither perch nor the worker") {
  Captured c({}, milliseconds{20});
  const std::string text = flood_text();
  const pid_t child = fork_flooder(c.worker.err, text);
  c.worker.err.reset();
  CHECK(test::wait_until([&] {
    c.loop.run_pending();
    return ended_well(child);
  }));
  c.capture->drain();
  CHECK(c.capture->lost_bytes() > text.size() / 2);
  CHECK(c.capture->tail().back() ==
        "line " + std::to_string(std::count(text.begin(), text.end(), '\n') - 1));
}

TEST_CASE("a reader that comes back gets what is written from then on") {
  Captured c({}, milliseconds{20});
  const pid_t child = fork_flooder(c.worker.out, flood_text());
  CHECK(test::wait_until([&] {
    c.loop.run_pending();
    return ended_well(child);
  }));
  std::string out;
  CHECK(test::wait_until([&] {
    c.loop.run_pending();
    out += read_available(c.out.read);
    return !c.out_writer.pending();
  }));
  const auto lost = c.capture->lost_bytes();
  say(c.worker.out, "back again\n");
  CHECK(test::wait_until([&] {
    c.loop.run_pending();
    out += read_available(c.out.read);
    return out.ends_with("back again\n");
  }));
  CHECK(c.capture->lost_bytes() == lost);
}

TEST_CASE("each stream's lines keep to their stream") {
  Captured c({.format = CaptureFormat::Prefix});
  say(c.worker.out, "to out\n");
  say(c.worker.err, "to err\n");
  c.capture->drain();
  CHECK(read_available(c.out.read) == "app: to out\n");
  CHECK(read_available(c.err.read) == "app: to err\n");
  CHECK(c.capture->tail() == std::vector<std::string>{"to err"});
}

TEST_CASE("JSON lines name the stream; the last one needs no end") {
  Captured c({.format = CaptureFormat::Json});
  say(c.worker.out, "to out\n");
  say(c.worker.err, "last words");
  c.capture.reset();
  const auto out = nlohmann::json::parse(read_available(c.out.read));
  CHECK(out.at("stream") == "stdout");
  CHECK(out.at("generation") == 3);
  const auto err = nlohmann::json::parse(read_available(c.err.read));
  CHECK(err.at("stream") == "stderr");
  CHECK(err.at("message") == "last words");
}

TEST_CASE("lines that grow a hundredfold lose nothing as long as somebody reads") {
  Captured c({.format = CaptureFormat::Json});
  constexpr std::size_t kLines = 40'000;
  const pid_t child = fork_flooder(c.worker.out, std::string(kLines, '\n'));
  c.worker.out.reset();
  std::size_t lines = 0;
  CHECK(test::wait_until([&] {
    c.loop.run_pending();
    const std::string out = read_available(c.out.read);
    lines += static_cast<std::size_t>(std::ranges::count(out, '\n'));
    return lines == kLines;
  }));
  CHECK(c.capture->lost_bytes() == 0);
  CHECK(test::wait_until([&] { return ended_well(child); }));
}

TEST_CASE("a flood above the rate is dropped, counted, and told once") {
  Captured c({.rate = 100});
  const std::string text = flood_text();
  const auto all = static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
  const pid_t child = fork_flooder(c.worker.out, text);
  c.worker.out.reset();
  std::string out;
  CHECK(test::wait_until([&] {
    c.loop.run_pending();
    out += read_available(c.out.read);
    return ended_well(child);
  }));
  c.capture.reset();
  out += read_available(c.out.read);
  CHECK(out.starts_with("line 0\nline 1\n"));
  const auto passed = static_cast<std::uint64_t>(std::ranges::count(out, '\n'));
  CHECK(passed >= 100);
  std::istringstream log(read_available(c.log_ends.read));
  std::uint64_t told = 0;
  for (std::string line; std::getline(log, line);) {
    const std::string message = nlohmann::json::parse(line).at("message");
    const std::string start = "worker app: ";
    REQUIRE(message.starts_with(start));
    CHECK(message.ends_with(" lines of its output dropped (capture_rate = 100)"));
    told += std::stoull(message.substr(start.size()));
  }
  CHECK(told == all - passed);
}

TEST_CASE("the tail has the last lines, whether they pass or not") {
  Captured c({.rate = 1});
  say(c.worker.err, "passes\nis dropped\n");
  c.capture->drain();
  CHECK(read_available(c.err.read) == "passes\n");
  CHECK(c.capture->tail() == std::vector<std::string>{"passes", "is dropped"});
}

TEST_CASE("what was dropped is told before the loop is idle") {
  Captured c({.rate = 1});
  say(c.worker.err, "passes\nis dropped\n");
  c.worker.out.reset();
  c.worker.err.reset();
  c.loop.run();  // ends once nothing is left to tell
  CHECK(read_available(c.log_ends.read).contains("worker app: 1 line of its output dropped"));
}

TEST_CASE("new settings hold for a worker that runs") {
  Captured c;
  say(c.worker.out, "raw\n");
  c.capture->drain();
  c.capture->set({.format = CaptureFormat::Prefix, .rate = 1});
  say(c.worker.out, "one\ntwo\n");
  c.capture->drain();
  c.capture->set({.format = CaptureFormat::Prefix});
  say(c.worker.out, "three\nfour\n");
  c.capture->drain();
  CHECK(read_available(c.out.read) == "raw\napp: one\napp: three\napp: four\n");
  CHECK(read_available(c.log_ends.read).contains("(capture_rate = 1)"));
}

}  // namespace perch
