// SPDX-License-Identifier: Apache-2.0
// perch's log and its workers' output: whatever becomes of them, supervision goes on, and what is
// lost is told. Every case kills a worker while its output cannot go anywhere, or cannot go on.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "common/posix/file.h"
#include "common/posix/unix_socket.h"
#include "tests/support/perch_process.h"
#include "tests/support/process_info.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

// Kills the worker that serves; the next one's pid.
pid_t kill_and_wait(const std::string& api) {
  const Reply before = ask_newer(api, 0);
  ::kill(before.pid, SIGKILL);
  return ask_newer(api, before.generation).pid;
}

// A worker that also writes, for as long as it lives, what `shell` does in the background.
std::string talking_config(const TemporaryDirectory& directory, const std::string& shell,
                           const std::string& settings) {
  return fmt::format(R"([listeners.api]
path = "{}"
[workers.app]
command = ["sh", "-c", "{} & exec $0 --by listen-fds", "{}"]
listeners = ["api"]
capture = true
{}
[workers.app.restart]
delay = "0ms"
)",
                     directory.path("api.sock"), shell, from_build("PERCH_TEST_WORKER"), settings);
}

// A file system with a few pages of room, for one file, which is perch's stderr.
class SmallDisk {
 public:
  SmallDisk() {
    REQUIRE(::mount("none", directory_.path().c_str(), "tmpfs", 0, "size=32k") == 0);
    log_ = open_file(directory_.path("log"), O_RDWR | O_CREAT | O_APPEND, 0600).value();
  }
  ~SmallDisk() { ::umount2(directory_.path().c_str(), MNT_DETACH); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  void fill() const {
    const UniqueFd filler = open_file(directory_.path("filler"), O_WRONLY | O_CREAT, 0600).value();
    const std::array<char, 4096> page{};
    while (::write(filler.get(), page.data(), page.size()) > 0) continue;
    // The rest of the log's last page.
    while (::write(log_.get(), "\n", 1) > 0) continue;
  }
  void make_room() const { ::unlink(directory_.path("filler").c_str()); }
  [[nodiscard]] int log() const { return log_.get(); }
  [[nodiscard]] std::string content() const { return read_open_file(log_.get()).value(); }

 private:
  TemporaryDirectory directory_;
  UniqueFd log_;
};

// A pipe that takes nothing: full, and nobody reads. For perch's stdout and stderr.
class BlockedPipe {
 public:
  BlockedPipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    read_ = UniqueFd(ends[0]);
    write_ = UniqueFd(ends[1]);
    const std::array<char, 4096> page{};
    while (::write(write_.get(), page.data(), page.size()) > 0) continue;
    ::fcntl(write_.get(), F_SETFL, 0);
  }
  [[nodiscard]] std::map<int, int> as_output() const {
    return {{STDOUT_FILENO, write_.get()}, {STDERR_FILENO, write_.get()}};
  }
  // What there is now.
  [[nodiscard]] std::string read() const {
    std::string all;
    std::array<char, 65536> chunk{};
    for (ssize_t got = 0; (got = ::read(read_.get(), chunk.data(), chunk.size())) > 0;) {
      all.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return all;
  }

 private:
  UniqueFd read_;
  UniqueFd write_;
};

// Somebody says something to a background `cat`, which is part of the worker.
class Talk {
 public:
  explicit Talk(const TemporaryDirectory& directory) : path_(directory.path("talk")) {
    REQUIRE(::mkfifo(path_.c_str(), 0600) == 0);
    fifo_ = open_file(path_, O_RDWR).value();
  }
  void say(std::string_view text) const {
    REQUIRE(::write(fifo_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  UniqueFd fifo_;
};

std::uint64_t lines_with(const std::string& text, std::string_view part) {
  std::istringstream lines(text);
  std::uint64_t count = 0;
  for (std::string line; std::getline(lines, line);) count += line.contains(part) ? 1U : 0U;
  return count;
}

std::uint64_t dropped(const PerchProcess& perch) { return perch.status()["perch"]["log_dropped"]; }

void reload(const PerchProcess& perch, const std::string& config) {
  perch.write_config(config);
  REQUIRE(perch.request("POST", "/v1/reload").status == 200);
}

}  // namespace

TEST_CASE("a full disk costs lines of the log, which are counted and told, and no supervision") {
  if (!have(is_root(), "needs root: mount")) return;
  const TemporaryDirectory directory;
  const SmallDisk disk;
  const PerchProcess perch(directory, app_config(directory), {.fds = {{2, disk.log()}}});
  REQUIRE(perch.wait_ready());
  disk.fill();
  kill_and_wait(directory.path("api.sock"));
  CHECK(dropped(perch) > 0);
  disk.make_room();
  kill_and_wait(directory.path("api.sock"));
  REQUIRE(perch.wait_ready());
  CHECK(disk.content().contains("warn  log: dropped "));
  CHECK(disk.content().contains("worker app: generation 3 is pid"));
}

TEST_CASE("a log that nobody reads costs no supervision, and comes in full when somebody does") {
  const TemporaryDirectory directory;
  const BlockedPipe pipe;
  const PerchProcess perch(directory, app_config(directory), {.fds = pipe.as_output()});
  REQUIRE(perch.wait_ready());
  for (int i = 0; i < 10; ++i) kill_and_wait(directory.path("api.sock"));
  REQUIRE(perch.wait_ready());
  CHECK(dropped(perch) == 0);
  std::string log;
  CHECK(wait_until([&] {
    log += pipe.read();
    return log.contains("generation 11 is pid");
  }));
  CHECK(lines_with(log, "worker app: generation") == 21);
}

TEST_CASE("a worker whose output nobody takes serves on, and its next generation does") {
  const TemporaryDirectory directory;
  const BlockedPipe pipe;
  const PerchProcess perch(directory, talking_config(directory, "yes", ""),
                           {.fds = pipe.as_output()});
  REQUIRE(perch.wait_ready());
  kill_and_wait(directory.path("api.sock"));
  CHECK(perch.worker()["deaths"]["signal"] == 1);
}

TEST_CASE("a closed stderr costs no supervision, and no worker gets another file in its place") {
  const TemporaryDirectory directory;
  const PerchProcess perch(directory, app_config(directory),
                           {.prefix = {"sh", "-c", "exec \"$@\" 0<&- 1>&- 2>&-", "sh"}});
  REQUIRE(perch.wait_ready());
  kill_and_wait(directory.path("api.sock"));
  const auto fds = ask(directory.path("api.sock"), "fds");
  REQUIRE(fds);
  for (const char* fd : {"0=/dev/null", "1=/dev/null", "2=/dev/null"}) {
    CHECK(fds->text.contains(fd));
  }
}

TEST_CASE("a storm of one message is a line with a count") {
  const TemporaryDirectory directory;
  const PerchProcess perch(directory, app_config(directory));
  REQUIRE(perch.wait_ready());
  const auto notify = ask(directory.path("api.sock"), "env NOTIFY_SOCKET");
  REQUIRE(notify);
  const auto socket = unix_connect(notify->text, SOCK_DGRAM, Blocking::Yes);
  REQUIRE(socket);
  constexpr int kMessages = 500;
  for (int i = 0; i < kMessages; ++i) {
    REQUIRE(::send(socket->get(), "MAINPID=1", 9, 0) == 9);
  }
  const std::string message = "worker app: MAINPID=1 is none of its processes";
  const auto told = [&] {
    std::istringstream lines(perch.log());
    int count = 0;
    for (std::string line; std::getline(lines, line);) {
      const std::size_t at = line.find(message);
      if (at == std::string::npos) continue;
      const std::string rest = line.substr(at + message.size());
      count += rest.empty() ? 1 : std::stoi(rest.substr(std::string(" (repeated ").size()));
    }
    return count;
  };
  CHECK(wait_until([&] { return told() == kMessages; }));
  CHECK(lines_with(perch.log(), message) < kMessages / 10);
}

TEST_CASE("a reload changes the level and the layout of the log") {
  const TemporaryDirectory directory;
  const PerchProcess perch(directory, app_config(directory));
  REQUIRE(perch.wait_ready());
  const auto reload_as = [&](const std::string& level, const std::string& format) {
    write_text(perch.config_path(),
               fmt::format("[perch]\ncontrol = \"{}\"\nlog_level = \"{}\"\nlog_format = \"{}\"\n{}",
                           directory.path("perch.sock"), level, format, app_config(directory)));
    REQUIRE(perch.request("POST", "/v1/reload").status == 200);
  };
  reload_as("error", "text");
  const std::string before = perch.log();
  kill_and_wait(directory.path("api.sock"));
  REQUIRE(perch.wait_ready());
  CHECK(perch.log() == before);

  reload_as("info", "json");
  kill_and_wait(directory.path("api.sock"));
  REQUIRE(perch.wait_ready());
  std::istringstream lines(perch.log().substr(before.size()));
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    CHECK(nlohmann::json::parse(line).at("level") == "info");
  }
  CHECK(count >= 4);
}

TEST_CASE("captured lines say whose they are, and a reload changes how without a restart") {
  const TemporaryDirectory directory;
  const Talk talk(directory);
  const std::string cat = "cat " + talk.path();
  const auto config = [&](const std::string& settings) {
    return talking_config(directory, cat, settings);
  };
  PerchProcess perch(directory, config("capture_format = \"prefix\""));
  REQUIRE(perch.wait_ready());
  const pid_t worker = ask_newer(directory.path("api.sock"), 0).pid;
  const auto prints = [&](const std::string& line) {
    return wait_until([&] { return perch.process().out().contains(line); });
  };
  talk.say("in ");
  talk.say("parts\n");
  CHECK(prints("app: in parts\n"));
  reload(perch, config("capture_format = \"json\""));
  talk.say("{\"a\": 1}\n");
  CHECK(prints(R"("worker":"app","generation":1,"stream":"stdout","message":"{\"a\": 1}"})"));
  reload(perch, config(""));
  talk.say("as it is\n");
  CHECK(prints("}\nas it is\n"));
  CHECK(ask(directory.path("api.sock"), "ping")->pid == worker);
}

TEST_CASE("lines above capture_rate are dropped and told, and a reload lets them pass again") {
  const TemporaryDirectory directory;
  const Talk talk(directory);
  const auto config = [&](unsigned rate) {
    return talking_config(directory, "cat " + talk.path(), fmt::format("capture_rate = {}", rate));
  };
  PerchProcess perch(directory, config(10));
  REQUIRE(perch.wait_ready());
  std::string flood;
  for (int i = 0; i < 1000; ++i) flood += "flood\n";
  talk.say(flood);
  CHECK(wait_until([&] { return perch.log().contains("(capture_rate = 10)"); }));
  CHECK(lines_with(perch.process().out(), "flood") < 1000);
  reload(perch, config(0));
  flood.clear();
  for (int i = 0; i < 1000; ++i) flood += "again\n";
  talk.say(flood);
  CHECK(wait_until([&] { return lines_with(perch.process().out(), "again") == 1000; }));
}

}  // namespace perch::test
