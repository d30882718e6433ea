// SPDX-License-Identifier: Apache-2.0
// Broken inputs and the whole line each of them is answered with.
#include "problems.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "supervisor/config/text_guard.h"
#include "tests/support/temporary_directory.h"

namespace perch::config {
namespace {

using test::kBase;
using test::problems_of;

struct Broken {
  std::string text;
  std::string problem;
};

// Lines added to a valid worker: the first of them is line 6.
const std::vector<Broken> kBrokenWorkers{
    {"comand = []", "f:6:1: workers.app.comand: unknown key; did you mean \"command\"?"},
    {"zzz = 1",
     "f:6:1: workers.app.zzz: unknown key; known are: command, listeners, handover, "
     "probe_guard, tcp_reuse_address, required, stop_signal, stop_timeout, forward_signals, "
     "reload_signal, capture, capture_format, "
     "capture_rate, user, group, directory, umask, "
     "environment, capabilities, rlimits, on_child_oom, pids_max, cpu_weight, memory, "
     "readiness, restart"},
    {"watchdog = \"5s\"", "f:6:1: workers.app.watchdog: not in this build; remove it"},
    {"handover = \"fd\"",
     "f:6:12: workers.app.handover: unknown value \"fd\"; use channel, intercept, listen-fds "
     "or stdin"},
    {"probe_guard = 1",
     "f:6:15: workers.app.probe_guard: expected true or false, found an integer"},
    {"handover = 3", "f:6:12: workers.app.handover: expected a string, found an integer"},
    {"required = \"yes\"", "f:6:12: workers.app.required: expected true or false, found a string"},
    {"stop_timeout = 25",
     "f:6:16: workers.app.stop_timeout: expected a duration such as \"250ms\", found an integer"},
    {"stop_timeout = \"25\"",
     "f:6:16: workers.app.stop_timeout: \"25\" is not a duration; write a whole number and ms, s, "
     "m or h, such as \"250ms\""},
    {"stop_timeout = \"9000h\"",
     "f:6:16: workers.app.stop_timeout: \"9000h\" is longer than a year (8760h)"},
    {"stop_timeout = \"99999999999999999999999s\"",
     "f:6:16: workers.app.stop_timeout: \"99999999999999999999999s\" is longer than a year "
     "(8760h)"},
    {"stop_signal = \"SIGNOPE\"",
     "f:6:15: workers.app.stop_signal: \"SIGNOPE\" is not a signal; write its name, such as "
     "\"SIGTERM\""},
    {"stop_signal = \"SIGRTMIN+3\"",
     "f:6:15: workers.app.stop_signal: \"SIGRTMIN+3\": real-time signals are not supported; use "
     "SIGUSR1 or SIGUSR2"},
    {"stop_signal = 15",
     "f:6:15: workers.app.stop_signal: expected a signal such as \"SIGTERM\", found an integer"},
    {"forward_signals = [\"USR1\", \"SIGKILL\"]",
     "f:6:28: workers.app.forward_signals[1]: SIGKILL cannot be forwarded: it cannot be caught, or "
     "perch acts on it; use SIGUSR1, SIGUSR2 or the like"},
    {"forward_signals = \"SIGUSR1\"",
     "f:6:19: workers.app.forward_signals: expected an array of strings such as [\"one\", "
     "\"two\"], found a string"},
    {"user = \"www:www\"",
     "f:6:8: workers.app.user: \"www:www\" names two; write user and group as two keys"},
    {"user = \"a b\"", "f:6:8: workers.app.user: \"a b\" is neither a name nor a number"},
    {"group = \"4294967295\"",
     "f:6:9: workers.app.group: \"4294967295\" is larger than any id, 4294967294"},
    {"directory = \"srv\"",
     "f:6:13: workers.app.directory: \"srv\" is a relative path; write an absolute one"},
    {"umask = \"0999\"",
     "f:6:9: workers.app.umask: \"0999\" is not a mode; write it in octal, from \"0000\" to "
     "\"0777\""},
    {"umask = 0o022",
     "f:6:9: workers.app.umask: expected a mode such as \"0660\", found an integer"},
    {"capabilities = [\"net_rwa\"]",
     "f:6:17: workers.app.capabilities[0]: \"net_rwa\" is not a capability; did you mean "
     "\"cap_net_raw\"?"},
    {"capabilities = [\"everything\"]",
     "f:6:17: workers.app.capabilities[0]: \"everything\" is not a capability; see "
     "capabilities(7)"},
    {"capabilities = [\"all\", \"cap_kill\"]",
     "f:6:16: workers.app.capabilities: \"all\" stands alone; remove it, or the other names"},
    {"environment = { PERCH_X = \"1\" }",
     "f:6:17: workers.app.environment.PERCH_X: perch sets this variable itself; remove it"},
    {"environment = { LISTEN_FDS = \"1\" }",
     "f:6:17: workers.app.environment.LISTEN_FDS: perch sets this variable itself; remove it"},
    {"environment = { NOTIFY_SOCKET = \"\" }",
     "f:6:17: workers.app.environment.NOTIFY_SOCKET: perch sets this variable itself; remove it"},
    {"environment = { \"A=B\" = \"1\" }",
     "f:6:18: workers.app.environment.\"A=B\": a variable's name cannot hold '=' or NUL; rename "
     "it"},
    {"environment = { A = 1 }",
     "f:6:21: workers.app.environment.A: expected a string, found an integer"},
    {"environment = { A = \"x\\u0000y\" }",
     "f:6:21: workers.app.environment.A: holds a NUL character; remove it"},
    {"rlimits = { nofil = 1 }",
     "f:6:13: workers.app.rlimits.nofil: unknown key; did you mean \"nofile\"?"},
    {"rlimits = { nofile = [2, 1] }",
     "f:6:22: workers.app.rlimits.nofile: the soft limit is above the hard one; swap them"},
    {"rlimits = { nofile = [1] }",
     "f:6:22: workers.app.rlimits.nofile: expected two limits, [soft, hard]"},
    {"rlimits = { nofile = -1 }",
     "f:6:22: workers.app.rlimits.nofile: a limit cannot be negative; use \"unlimited\""},
    {"rlimits = { memlock = \"64MB\" }",
     "f:6:23: workers.app.rlimits.memlock: \"64MB\" is not a size; write a whole number and B, "
     "KiB, "
     "MiB, GiB or TiB, such as \"512MiB\""},
    {"rlimits = { core = true }",
     "f:6:20: workers.app.rlimits.core: expected a number, a size, \"unlimited\", or [soft, hard], "
     "found a boolean"},
    {"on_child_oom = \"ignore\"",
     "f:6:16: workers.app.on_child_oom: unknown value \"ignore\"; use note or restart"},
    {"pids_max = 0", "f:6:12: workers.app.pids_max: 0 is out of range; use 1 to 4194304"},
    {"cpu_weight = 10001", "f:6:14: workers.app.cpu_weight: 10001 is out of range; use 1 to 10000"},
    {"memory = { max = 512 }",
     "f:6:18: workers.app.memory.max: expected a size such as \"512MiB\", found an integer"},
    {"memory = { max = \"512KiB\" }",
     "f:6:18: workers.app.memory.max: 512KiB is too little for any program; write 1MiB or more"},
    {"memory = { max = \"64MiB\", high = \"65MiB\" }",
     "f:6:34: workers.app.memory.high: 65MiB is above max, 64MiB, and would never be reached; "
     "lower "
     "it"},
    {"memory = { max = \"64MiB\", recycle_at = \"1GiB\" }",
     "f:6:40: workers.app.memory.recycle_at: 1GiB is above max, 64MiB, and would never be reached; "
     "lower it"},
    {"memory = { high = \"48MiB\", recycle_at = \"49MiB\" }",
     "f:6:41: workers.app.memory.recycle_at: 49MiB is above high, 48MiB, where the kernel slows "
     "the "
     "worker down before it is replaced; lower it, or raise high"},
    {"memory = { max = \"64MiB\", high = \"48MiB\", recycle_at = \"76%\" }",
     "f:6:56: workers.app.memory.recycle_at: 76% of max is above high, 48MiB, where the kernel "
     "slows "
     "the worker down before it is replaced; lower it, or raise high"},
    {"memory = { recycle_at = \"101%\" }",
     "f:6:25: workers.app.memory.recycle_at: \"101%\" is no share; write a whole number from "
     "\"1%\" "
     "to \"100%\""},
    {"memory = { recycle_at = \"0%\" }",
     "f:6:25: workers.app.memory.recycle_at: \"0%\" is no share; write a whole number from \"1%\" "
     "to "
     "\"100%\""},
    {"memory = { recycle_at = \"half\" }",
     "f:6:25: workers.app.memory.recycle_at: \"half\" is not a size; write a whole number and B, "
     "KiB, MiB, GiB or TiB, such as \"512MiB\", or a share of the limit, such as \"90%\""},
    {"memory = { recycle_at = 90 }",
     "f:6:25: workers.app.memory.recycle_at: expected a share or a size such as \"90%\", found an "
     "integer"},
    {"readiness = 3", "f:6:13: workers.app.readiness: expected a table, found an integer"},
    {"readiness = { by = \"probe\" }",
     "f:6:20: workers.app.readiness.by: \"probe\" is not in this build; use notify, started or "
     "bound"},
    {"readiness = { by = \"luck\" }",
     "f:6:20: workers.app.readiness.by: unknown value \"luck\"; use notify, started or bound"},
    {"readiness = { by = \"bound\" }",
     "f:6:20: workers.app.readiness.by: bound goes with handover intercept, and this worker has "
     "listen-fds; use notify or started"},
    {"restart = { factor = 0.5 }",
     "f:6:22: workers.app.restart.factor: 0.5 is out of range; use 1 to 1000"},
    {"restart = { factor = nan }",
     "f:6:22: workers.app.restart.factor: nan is out of range; use 1 to 1000"},
    {"restart = { factor = \"2\" }",
     "f:6:22: workers.app.restart.factor: expected a number, found a string"},
    {"restart = { jitter = 1.5 }",
     "f:6:22: workers.app.restart.jitter: 1.5 is out of range; use 0 to 1"},
    {"restart = { burst = -1 }",
     "f:6:21: workers.app.restart.burst: -1 is out of range; use 0 to 1000000"},
    {"restart = { attempts = 1.5 }",
     "f:6:24: workers.app.restart.attempts: expected an integer, found a number"},
    {"restart = { policy = \"sometimes\" }",
     "f:6:22: workers.app.restart.policy: unknown value \"sometimes\"; use always, on-failure or "
     "never"},
    {"restart = { delay = \"2s\", max_delay = \"1s\" }",
     "f:6:39: workers.app.restart.max_delay: 1s is shorter than delay, 2s; raise it"},
    {"stop_timeout = 2020-01-01",
     "f:6:16: workers.app.stop_timeout: expected a duration such as \"250ms\", found a date or "
     "time"},
    {"command = []", "f:6:11: \"command\" is defined twice; keep one, or rename one"},
    {"[workers.app]", "f:6:1: \"workers.app\" is defined twice; keep one, or rename one"},
};

// Whole files.
const std::vector<Broken> kBrokenFiles{
    {"# nothing\n", "f:1:1: there is no worker; add [workers.NAME] to a file, or give -- COMMAND"},
    {"workers = 3\n", "f:1:11: workers: expected a table, found an integer"},
    {"[workers]\napp = 3\n", "f:2:7: workers.app: expected a table, found an integer"},
    {"[workers.app]\n", "f:1:1: workers.app.command: missing; add command = [\"/usr/bin/...\"]"},
    {"[workers.app]\ncommand = []\n",
     "f:2:11: workers.app.command: the command is empty; write the program and its arguments"},
    {"[workers.app]\ncommand = [\"\"]\n",
     "f:2:12: workers.app.command[0]: the program's name is empty; write its path"},
    {"[workers.app]\ncommand = \"/bin/app -x\"\n",
     "f:2:11: workers.app.command: expected an array of strings such as [\"one\", \"two\"], found "
     "a string"},
    {"[workers.app]\ncommand = [\n  \"a\",\n  7,\n]\n",
     "f:4:3: workers.app.command[1]: expected a string, found an integer"},
    {"[workers.\"a:b\"]\ncommand = [\"a\"]\n",
     "f:1:11: workers.\"a:b\": \"a:b\" is not a name; use 1 to 64 of A-Z a-z 0-9 _ . -"},
    {"[workers.app]\ncommand = [\"a\"]\nlisteners = [\"api\"]\n",
     "f:3:14: workers.app.listeners[0]: there is no listener \"api\"; add [listeners.api]"},
    {"[worker.app]\ncommand = [\"a\"]\n",
     "f:1:1: there is no worker; add [workers.NAME] to a file, or give -- COMMAND\n"
     "f:1:2: worker: unknown key; did you mean \"workers\"?"},
    {"[perch]\nhttp = \"9480\"\n[workers.app]\ncommand = [\"a\"]\n",
     "f:2:8: perch.http: \"9480\" has no port; write \"127.0.0.1:9480\" or \":9480\""},
    {"[perch]\nhttp = \"localhost:80\"\n[workers.app]\ncommand = [\"a\"]\n",
     "f:2:8: perch.http: \"localhost\" is no numeric address; write one such as 127.0.0.1 or "
     "[::1]"},
    {"[perch]\nhttp = \":http\"\n[workers.app]\ncommand = [\"a\"]\n",
     "f:2:8: perch.http: \":http\" does not end in a port; use 1 to 65535"},
    {"[perch]\nreaders = [\"adm\"]\n[workers.app]\ncommand = [\"a\"]\n",
     "f:2:12: perch.readers[0]: \"adm\" names nobody; write \"user:NAME\" or \"group:NAME\""},
    {"[perch]\ncontrol = \"perch.sock\"\n[workers.app]\ncommand = [\"a\"]\n",
     "f:2:11: perch.control: \"perch.sock\" is not an absolute path; write one, or \"none\""},
    {"[perch]\nkeeper = \"keep.sock\"\n[workers.app]\ncommand = [\"a\"]\n",
     "f:2:10: perch.keeper: \"keep.sock\" is not an absolute path; write one, or \"none\""},
    {"[perch]\nlog.level = \"debug\"\n[workers.app]\ncommand = [\"a\"]\n",
     "f:2:1: perch.log: unknown key; known are: control, log_level, log_format, readers, "
     "operators, http, reload_on_change, keeper"},
};

// Files that are not TOML, or not what a parser should see.
const std::vector<Broken> kUnreadable{
    {"a = 10s",
     "f:1:7: unexpected text after the value; strings, durations, sizes and modes are "
     "written in quotes"},
    {"mode = 0660", "f:1:8: a number cannot begin with 0; write a mode in quotes: \"0660\""},
    {"a = tru", "f:1:5: not a value; write true, false, or a string in quotes"},
    {"a = ", "f:1:5: the value after '=' is missing"},
    {"a", "f:1:2: '=' and a value are missing after the key"},
    {"= 1", "f:1:1: the key before '=' is missing"},
    {"a b = 1", "f:1:2: a key with other characters than A-Z a-z 0-9 _ - needs quotes"},
    {"[a", "f:1:1: not a key = value line, nor a [table] header"},
    {"a = \"b", "f:1:5: the string is not closed, or has an unknown escape"},
    {"a = 'b", "f:1:5: the string is not closed"},
    {"a = [1, 2", "f:2:1: ',' or ']' is missing in the array"},
    {"a = { b = 1", "f:1:12: '}' is missing at the end of the inline table"},
    {"a = 1\na = 2", "f:2:5: \"a\" is defined twice; keep one, or rename one"},
    {"a = \"\xff\"", "f:1:6: not UTF-8; save the file as UTF-8 text"},
    {"a = \"\xed\xa0\x80\"", "f:1:6: not UTF-8; save the file as UTF-8 text"},
    {"# \x1b[31m", "f:1:3: control character 0x1b; remove it"},
    {"a = " + std::string(40, '[') + std::string(40, ']'), "f:1:37: nested deeper than 32 levels"},
    {"a = \"\"\"x\"\"\"\", " + std::string(40, '['), "f:1:47: nested deeper than 32 levels"},
    {"a = \"" + std::string(70000, 'x') + "\"", "f:1:1: a line of 70006 bytes, 65536 at most"},
    {std::string(kLongestText + 1, '\n'), "f:1:1: larger than 1 MiB"},
};

}  // namespace

TEST_CASE("a broken worker is answered with line, column, key, reason and remedy") {
  for (const auto& [line, problem] : kBrokenWorkers) {
    CHECK(problems_of(std::string(kBase) + line + "\n") == problem);
  }
}

TEST_CASE("a broken file is answered with line, column, key, reason and remedy") {
  for (const auto& [text, problem] : kBrokenFiles) CHECK(problems_of(text) == problem);
}

TEST_CASE("a file that is no TOML is answered with one line") {
  for (const auto& [text, problem] : kUnreadable) CHECK(problems_of(text) == problem);
}

TEST_CASE("every key of a listener is checked") {
  const std::vector<Broken> broken{
      {"path = \"run/x\"",
       "\"run/x\" is a relative path; write an absolute one, or @name for an "
       "abstract socket"},
      {"path = \"\"", "the path is empty; write an absolute one"},
      {"path = \"/run/app/\"", "\"/run/app/\" is a directory; add a file name"},
      {"path = \"/run/..\"", "\"/run/..\" is a directory; add a file name"},
      {"path = \"/" + std::string(107, 'x') + "\"",
       "108 bytes are too long for a socket's path; use 107 at most"},
      {"backlog = 0", "0 is out of range; use 1 to 2147483647"},
      {"backlog = 1e3", "expected an integer, found a number"},
      {"mode = \"1777\"", "\"1777\" is not a mode; write it in octal, from \"0000\" to \"0777\""},
      {"on_exit = \"delete\"", "unknown value \"delete\"; use keep or unlink"},
      {"wait_for_owner = \"soon\"",
       "\"soon\" is not a duration; write a whole number and ms, s, m or h, such as \"250ms\""},
  };
  const std::string worker = "\n[workers.app]\ncommand = [\"a\"]\nlisteners = [\"api\"]\n";
  for (const auto& [line, problem] : broken) {
    const std::string key = line.substr(0, line.find(' '));
    const std::string path = key == "path" ? "" : "path = \"/x\"\n";
    const std::string where = path.empty() ? "f:2:" : "f:3:";
    CHECK(problems_of("[listeners.api]\n" + path + line + worker) ==
          where + std::to_string(key.size() + 4) + ": listeners.api." + key + ": " + problem);
  }
  CHECK(problems_of("[listeners.api]" + worker) ==
        "f:1:1: listeners.api.path: missing; add path = \"/run/...\"");
}

TEST_CASE("every problem of a file is reported, in the order of the file") {
  CHECK(problems_of(R"([perch]
colour = true
[listeners.api]
path = "api.sock"
[listeners.spare]
path = "/run/spare.sock"
[workers.app]
command = []
listeners = ["ap"]
stop_timeout = 3
)") == "f:2:1: perch.colour: unknown key; known are: control, log_level, log_format, readers, "
       "operators, http, reload_on_change, keeper\n"
       "f:4:8: listeners.api.path: \"api.sock\" is a relative path; write an absolute one, or "
       "@name for an abstract socket\n"
       "f:8:11: workers.app.command: the command is empty; write the program and its arguments\n"
       "f:9:14: workers.app.listeners[0]: there is no listener \"ap\"; did you mean \"api\"?\n"
       "f:10:16: workers.app.stop_timeout: expected a duration such as \"250ms\", found an "
       "integer");
}

TEST_CASE("a flood of problems is cut, and counted") {
  std::string text(kBase);
  for (int i = 0; i < 150; ++i) text += "key" + std::to_string(i) + " = 1\n";
  const auto config = parse(text, "f", {});
  REQUIRE_FALSE(config.has_value());
  CHECK(config.error().size() == 101);
  CHECK(config.error().back().text == "and 50 more");
}

TEST_CASE("listeners and workers must fit together") {
  const std::vector<Broken> broken{
      {"[listeners.b]\npath = \"/b\"\n",
       "f:6:1: listeners.b: no worker takes this listener, its clients would wait for ever; name "
       "it in the listeners of a worker, or remove it"},
      {"[workers.b]\ncommand = [\"b\"]\nlisteners = [\"api\"]\nhandover = \"channel\"\n",
       "f:9:12: workers.b.handover: listener \"api\" goes to worker \"app\" by listen-fds: one of "
       "the two would have it blocking, the other not; use one of both ways for both"},
      {"[workers.b]\ncommand = [\"b\"]\nlisteners = [\"api\", \"api\"]\n",
       "f:8:21: workers.b.listeners[1]: listener \"api\" is named twice"},
      {"[workers.b]\ncommand = [\"b\"]\nlisteners = []\nhandover = \"stdin\"\n",
       "f:8:13: workers.b.listeners: handover stdin takes exactly one listener, this worker has 0; "
       "name one, or use listen-fds"},
      {"[workers.b]\ncommand = [\"b\"]\nhandover = \"intercept\"\n",
       "f:6:1: workers.b.listeners: handover intercept takes a listener, the one that the worker "
       "binds; name it, or use another hand-over"},
      {"[workers.b]\ncommand = [\"b\"]\nlisteners = [\"api\"]\nhandover = \"intercept\"\n",
       "f:9:12: workers.b.handover: listener \"api\" goes to worker \"app\" by listen-fds: one "
       "that "
       "intercept hands over is blocking or not as its worker made its own socket, so no other may "
       "have it; use two listeners"},
      {"handover = \"intercept\"\n[workers.b]\ncommand = [\"b\"]\nlisteners = [\"api\"]\n"
       "handover = \"intercept\"\n",
       "f:10:12: workers.b.handover: listener \"api\" goes to worker \"app\" by intercept: one "
       "that "
       "intercept hands over is blocking or not as its worker made its own socket, so no other may "
       "have it; use two listeners"},
      {"[listeners.b]\npath = \"/run/app/../app//api.sock\"\n[workers.b]\ncommand = [\"b\"]\n"
       "listeners = [\"b\"]\n",
       "f:7:8: listeners.b.path: \"/run/app/../app//api.sock\" is the path of listener \"api\" "
       "too; use another"},
      {"[perch]\ncontrol = \"/run/app/api.sock\"\n",
       "f:2:8: listeners.api.path: \"/run/app/api.sock\" is the path of the control socket too; "
       "use another"},
  };
  for (const auto& [text, problem] : broken) {
    CHECK(problems_of(std::string(kBase) + text) == problem);
  }
}

TEST_CASE("one listener may go to two workers that want the same blocking mode") {
  CHECK(problems_of(std::string(kBase) + "[workers.b]\ncommand = [\"b\"]\nlisteners = [\"api\"]\n"
                                         "handover = \"stdin\"\n") == "");
}

TEST_CASE("a file that cannot be read is answered with one line") {
  const perch::test::TemporaryDirectory directory;
  const auto only_problem = [](const std::string& path) {
    const auto config = load(path, {});
    REQUIRE_FALSE(config.has_value());
    REQUIRE(config.error().size() == 1);
    return config.error().front().text;
  };
  const std::string remedy = "; check -c or PERCH_CONFIG";
  const std::string missing = directory.path("missing.toml");
  CHECK(only_problem(missing) == "open " + missing + ": No such file or directory" + remedy);
  CHECK(only_problem(directory.path()) == directory.path() + " is a directory" + remedy);
  const std::string fifo = directory.path("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(only_problem(fifo) == fifo + " is not a regular file" + remedy);
  const std::string large = directory.path("large.toml");
  perch::test::write_text(large, std::string(kLongestText + 1, '#'));
  CHECK(only_problem(large) == large + " is larger than 1 MiB" + remedy);
}

TEST_CASE("a file is read anew at every load") {
  const perch::test::TemporaryDirectory directory;
  const std::string file = directory.path("perch.toml");
  perch::test::write_text(file, kBase);
  CHECK(load(file, {}).has_value());
  perch::test::write_text(file, std::string(kBase) + "required = 1\n");
  const auto changed = load(file, {});
  REQUIRE_FALSE(changed.has_value());
  CHECK(changed.error().front().text ==
        file + ":6:12: workers.app.required: expected true or false, found an integer");
}

}  // namespace perch::config
