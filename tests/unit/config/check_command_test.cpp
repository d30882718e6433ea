// SPDX-License-Identifier: Apache-2.0
#include "supervisor/cli/check_command.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "supervisor/config/load.h"
#include "tests/support/temporary_directory.h"

namespace perch::cli {
namespace {

using test::TemporaryDirectory;
using test::write_text;

CheckOptions checking(const std::string& listener, const std::string& program) {
  CheckOptions options;
  options.overrides.listen = {listener};
  options.overrides.command = {program};
  return options;
}

// The rest is what `perch run` as another user would be told.
bool says(const CheckAnswer& answer, const std::string& line) {
  return answer.error.find("perch: " + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("a valid configuration is printed whole, as a file that gives it again") {
  const TemporaryDirectory directory;
  const CheckAnswer answer = check(checking(directory.path("a.sock"), "/bin/true"));
  CHECK(answer.code == ExitCode::Stopped);
  const std::string file = directory.path("again.toml");
  write_text(file, answer.out);
  const CheckAnswer again = check({.config = file, .overrides = {}});
  CHECK(again.code == ExitCode::Stopped);
  CHECK(again.out == answer.out);
}

TEST_CASE("every problem is a line on stderr, and nothing is printed") {
  const CheckAnswer answer = check(checking("rel", ""));
  CHECK(answer.code == ExitCode::Usage);
  CHECK(answer.out == "");
  CHECK(answer.error ==
        "perch: --listen rel: \"rel\" is a relative path; write an absolute one, or @name for an "
        "abstract socket\nperch: command: the program's name is empty; write its path\n");
}

TEST_CASE("a directory that does not exist is a warning") {
  const CheckAnswer answer = check(checking("a=/nonexistent/a.sock", "/bin/true"));
  CHECK(answer.code == ExitCode::Stopped);
  CHECK(says(answer,
             "warning: listener a: the directory /nonexistent does not exist; make it, or "
             "mount it"));
}

TEST_CASE("a program that is not there is a warning") {
  const TemporaryDirectory directory;
  const std::string socket = directory.path("a.sock");
  CHECK(says(check(checking(socket, "no-such-program")),
             "warning: worker no-such-program: no-such-program is not an executable here, nor in "
             "PATH; perch run would exit 126 or 127"));
  CHECK(says(check(checking(socket, "/dev/null")),
             "warning: worker null: /dev/null is not an executable here; perch run would exit 126 "
             "or 127"));
  CHECK(check(checking(socket, "true")).error.find("executable") == std::string::npos);
}

TEST_CASE("a mark that is the limit itself is a warning, a lower one is none") {
  const TemporaryDirectory directory;
  const std::string file = directory.path("perch.toml");
  const auto warns = [&](const std::string& memory) {
    write_text(file, "[workers.app]\ncommand = [\"true\"]\nmemory = { " + memory + " }\n");
    return says(
        check({.config = file, .overrides = {}}),
        "warning: worker app: recycle_at is the limit itself, the kernel kills first; write "
        "\"90%\" or less");
  };
  CHECK(warns("recycle_at = \"100%\""));
  CHECK(warns("max = \"64MiB\", recycle_at = \"64MiB\""));
  CHECK_FALSE(warns("max = \"64MiB\", recycle_at = \"63MiB\""));
  CHECK_FALSE(warns("recycle_at = \"99%\""));
}

TEST_CASE("a worker that is recycled and never restarted is a warning") {
  const TemporaryDirectory directory;
  const std::string file = directory.path("perch.toml");
  write_text(file,
             "[workers.app]\ncommand = [\"true\"]\nmemory = { recycle_at = \"90%\" }\nrestart = { "
             "policy = \"never\" }\n");
  CHECK(says(check({.config = file, .overrides = {}}),
             "warning: worker app: with restart.policy never, recycle_at stops it and nothing "
             "starts it anew"));
}

TEST_CASE("a program is looked up in the PATH that its worker gets") {
  const TemporaryDirectory directory;
  const std::string program = directory.path("mine");
  write_text(program, "#!/bin/sh\n");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  const std::string file = directory.path("perch.toml");
  write_text(file, "[workers.app]\ncommand = [\"mine\"]\nenvironment = { PATH = \"/bin:" +
                       directory.path() + "\" }\n");
  const CheckAnswer answer = check({.config = file, .overrides = {}});
  CHECK(answer.code == ExitCode::Stopped);
  CHECK(answer.error.find("executable") == std::string::npos);
}

TEST_CASE("a worker without a listener is a warning") {
  CheckOptions options;
  options.overrides.command = {"/bin/true"};
  CHECK(
      says(check(options), "warning: worker true: takes no listener; perch only keeps it running"));
}

TEST_CASE("a worker as root that would lose every capability is a warning, with the cure") {
  const TemporaryDirectory directory;
  const std::string file = directory.path("perch.toml");
  const auto warned = [&](const std::string& line) {
    write_text(file, "[workers.app]\ncommand = [\"true\"]\n" + line + "\n");
    return says(check({.config = file, .overrides = {}}),
                "warning: worker app: runs as root without any capability; to keep some, list "
                "them: capabilities = [\"cap_net_raw\"], or [\"all\"]; or set user");
  };
  CHECK(warned("user = \"root\""));
  CHECK(warned("user = \"0\""));
  CHECK(warned("") == (::geteuid() == 0));
  CHECK_FALSE(warned("user = \"nobody\""));
  CHECK_FALSE(warned("user = \"root\"\ncapabilities = [\"all\"]"));
}

TEST_CASE("a key of intercept beside another hand-over is a warning") {
  const TemporaryDirectory directory;
  const std::string file = directory.path("perch.toml");
  const auto warnings = [&](const std::string& lines) {
    write_text(file,
               "[listeners.a]\npath = \"/tmp/a\"\n[workers.app]\ncommand = [\"true\"]\n"
               "listeners = [\"a\"]\n" +
                   lines);
    return check({.config = file, .overrides = {}});
  };
  CHECK(says(warnings("tcp_reuse_address = true\n"),
             "warning: worker app: tcp_reuse_address is without effect: handover is listen-fds, "
             "not intercept"));
  CHECK(
      says(warnings("probe_guard = false\nhandover = \"stdin\"\n"),
           "warning: worker app: probe_guard is without effect: handover is stdin, not intercept"));
  CHECK_FALSE(warnings("probe_guard = false\nhandover = \"intercept\"\n").error.contains("effect"));
}

TEST_CASE("the examples are valid") {
  int examples = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PERCH_EXAMPLES)) {
    if (entry.path().extension() != ".toml") continue;
    ++examples;
    const CheckAnswer answer = check({.config = entry.path().string(), .overrides = {}});
    INFO(answer.error);
    CHECK(answer.code == ExitCode::Stopped);
  }
  CHECK(examples > 0);
}

}  // namespace perch::cli
