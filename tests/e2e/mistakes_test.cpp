// SPDX-License-Identifier: Apache-2.0
// Mistakes in what is typed or written: perch starts nothing, and one line says what is wrong.
#include <doctest/doctest.h>

#include <vector>

#include "tests/support/mistake.h"

namespace perch::test {
namespace {

const std::vector<Mistake> kTyped{
    {"an option misspelled", "perch run --listn $PWD/api.sock -- true", 2, "'--listn'",
     "unknown option", "did you mean --listen?"},
    {"an option without its value", "perch run --listen", 2, "--listen", "needs a value",
     "[NAME=]PATH"},
    {"a command misspelled", "perch rnu -c perch.toml", 2, "'rnu'", "unknown command",
     "did you mean run?"},
    {"the -- forgotten", "perch run --listen $PWD/api.sock sleep 60", 2, "'sleep'",
     "unexpected argument", "goes after --"},
    {"a command for status", "perch status -- true", 2, "after --",
     "only run, check, doctor and keep take", "see perch status --help"},
    {"a file without -c", "perch run perch.toml", 2, "'perch.toml'", "unexpected argument",
     "given with -c"},
    {"a worker and all of them", "perch restart app --all", 2, "restart", "not both",
     "give WORKER or --all"},
    {"a time that is none", "perch stop --timeout soon", 2, "--timeout",
     "\"soon\" is not a duration", "ms, s, m or h"},
    {"a relative path", "perch run --listen api.sock -- true", 2, "\"api.sock\"", "relative path",
     "write an absolute one"},
    {"a path too long", "perch run --listen /tmp/$(printf 'x%.0s' {1..120}) -- true", 2,
     "--listen /tmp/xxx", "125 bytes are too long", "use 107 at most"},
    {"a directory as path", "perch run --listen $PWD/ -- true", 2, "--listen", "is a directory",
     "add a file name"},
    {"a way misspelled", "perch run --handover listen-fd --listen $PWD/a.sock -- true", 2,
     "--handover", "unknown value \"listen-fd\"", "use channel, intercept, listen-fds or stdin"},
    {"a format misspelled", "perch run --log-format jsno -- true", 2, "--log-format",
     "unknown value \"jsno\"", "use auto, json or text"},
    {"a duration without unit", "perch run --stop-timeout 25 -- true", 2, "--stop-timeout",
     "\"25\" is not a duration", "ms, s, m or h"},
    {"two listeners for stdin", "perch run --handover stdin --listen /a --listen /b -- true", 2,
     "worker true", "stdin takes exactly one listener", "or use listen-fds"},
    {"intercept without a listener", "perch run --intercept -- true", 2, "worker true",
     "intercept takes a listener", "or use another hand-over"},
    {"two hand-overs", "perch run --intercept --handover stdin -- true", 2, "--intercept",
     "not both", "give --intercept or --handover"},
    {"two listeners with one path", "perch run --listen a=/x --listen b=/x -- true", 2,
     "--listen b=/x", "is the path of listener \"a\" too", "use another"},
    {"a listener at the control socket", "perch run --control /x --listen /x -- true", 2,
     "--listen /x", "is the path of the control socket too", "use another"},
    {"no worker", "perch run --listen $PWD/api.sock", 2, "worker", "there is no worker",
     "give -- COMMAND"},
    {"an option of one worker for two",
     "add '[workers.b]'; add 'command = [\"b\"]'; "
     "perch run -c perch.toml --handover stdin",
     2, "--handover", "the file has 2 workers", "set it in the file"},
    {"no control socket to ask", "perch status --control none", 2, "control socket",
     "no control socket to ask", "give --control PATH"},
};

// Lines added to perch.toml, which ends in the table [workers.app].
const std::vector<Mistake> kWritten{
    {"a key misspelled", "add 'handovr = \"stdin\"'; perch run -c perch.toml", 2,
     "perch.toml:6:1: workers.app.handovr", "unknown key", "did you mean \"handover\"?"},
    {"a table misspelled", "add '[workers.app.restrat]'; perch run -c perch.toml", 2,
     "perch.toml:6:14: workers.app.restrat", "unknown key", "did you mean \"restart\"?"},
    {"workers misspelled", "sed -i s/workers/worker/ perch.toml; perch run -c perch.toml", 2,
     "perch.toml:3:2: worker", "unknown key", "did you mean \"workers\"?"},
    {"a listener's name misspelled",
     "sed -i 's/\\[\"api/[\"apo/' perch.toml; perch run -c perch.toml", 2,
     "workers.app.listeners[0]", "there is no listener \"apo\"", "did you mean \"api\"?"},
    {"a listener that nobody takes", "sed -i /listeners.=/d perch.toml; perch run -c perch.toml", 2,
     "listeners.api", "no worker takes this listener", "name it in the listeners of a worker"},
    {"a mode as ls prints it", "add_to_listener 'mode = \"rw-rw----\"'; perch run -c perch.toml", 2,
     "listeners.api.mode", "\"rw-rw----\" is not a mode", "write it in octal"},
    {"a mode without quotes", "add_to_listener 'mode = 0660'; perch run -c perch.toml", 2,
     "perch.toml:3:8", "cannot begin with 0", "write a mode in quotes: \"0660\""},
    {"a duration as a number", "add 'stop_timeout = 25'; perch run -c perch.toml", 2,
     "workers.app.stop_timeout", "found an integer", "a duration such as \"250ms\""},
    {"a unit of time nobody knows", "add 'stop_timeout = \"25sec\"'; perch run -c perch.toml", 2,
     "workers.app.stop_timeout", "\"25sec\" is not a duration", "ms, s, m or h"},
    {"a unit of size nobody knows",
     "add 'rlimits = { memlock = \"64MB\" }'; perch run -c perch.toml", 2,
     "workers.app.rlimits.memlock", "\"64MB\" is not a size", "KiB, MiB, GiB"},
    {"a signal nobody knows", "add 'stop_signal = \"SIGTREM\"'; perch run -c perch.toml", 2,
     "workers.app.stop_signal", "\"SIGTREM\" is not a signal", "such as \"SIGTERM\""},
    {"SIGKILL forwarded", "add 'forward_signals = [\"SIGKILL\"]'; perch run -c perch.toml", 2,
     "workers.app.forward_signals[0]", "SIGKILL cannot be forwarded", "use SIGUSR1"},
    {"the command as one string",
     "sed -i 's/^command.*/command = \"sleep 60\"/' perch.toml; "
     "perch run -c perch.toml",
     2, "workers.app.command", "expected an array of strings", "such as [\"one\", \"two\"]"},
    {"user and group in one", "add 'user = \"www:www\"'; perch run -c perch.toml", 2,
     "workers.app.user", "\"www:www\" names two", "as two keys"},
    {"a user that does not exist", "add 'user = \"wwwdata\"'; perch run -c perch.toml", 2,
     "workers.app.user", "has no such user", "use one that it has, or a number"},
    {"a group that does not exist", "add 'group = \"wwwdata\"'; perch run -c perch.toml", 2,
     "workers.app.group", "has no such group", "use one that it has, or a number"},
    {"a capability misspelled", "add 'capabilities = [\"net_rwa\"]'; perch run -c perch.toml", 2,
     "workers.app.capabilities[0]", "is not a capability", "did you mean \"cap_net_raw\"?"},
    {"a variable of the hand-over",
     "add 'environment = { LISTEN_FDS = \"1\" }'; perch run -c perch.toml", 2,
     "workers.app.environment.LISTEN_FDS", "perch sets this variable itself", "remove it"},
    {"NOTIFY_SOCKET set", "add 'environment = { NOTIFY_SOCKET = \"/x\" }'; perch run -c perch.toml",
     2, "workers.app.environment.NOTIFY_SOCKET", "perch sets this variable itself", "remove it"},
    {"a delay above its maximum", "add 'restart = { delay = \"1m\" }'; perch run -c perch.toml", 2,
     "workers.app.restart.max_delay", "5s is shorter than delay, 1m", "raise it"},
    {"a port without address and colon",
     "add '[perch]'; add 'http = \"9480\"'; perch run -c perch.toml", 2, "perch.http",
     "\"9480\" has no port", "write \"127.0.0.1:9480\" or \":9480\""},
    {"a host's name for an address",
     "add '[perch]'; add 'http = \"localhost:9480\"'; "
     "perch run -c perch.toml",
     2, "perch.http", "\"localhost\" is no numeric address", "write one such as 127.0.0.1"},
    {"a port that is a word", "add '[perch]'; add 'http = \":http\"'; perch run -c perch.toml", 2,
     "perch.http", "does not end in a port", "use 1 to 65535"},
    {"a reader without user: or group:",
     "add '[perch]'; add 'readers = [\"adm\"]'; "
     "perch run -c perch.toml",
     2, "perch.readers[0]", "\"adm\" names nobody", "\"group:NAME\""},
};

const std::vector<Mistake> kFiles{
    {"a file that is not there", "perch run -c none.toml", 2, "none.toml",
     "No such file or directory", "check -c or PERCH_CONFIG"},
    {"PERCH_CONFIG names no file", "PERCH_CONFIG=none.toml perch run", 2, "none.toml",
     "No such file or directory", "check -c or PERCH_CONFIG"},
    {"a directory as file", "perch run -c .", 2, ".", "is a directory", "check -c or PERCH_CONFIG"},
    {"a file in Latin-1", "printf '# \\344\\n' > f; perch run -c f", 2, "f:1:3", "not UTF-8",
     "save the file as UTF-8 text"},
    {"a program as file", "head -c 99 /bin/ls > f; perch run -c f", 2, "f:1:1",
     "control character 0x7f", "remove it"},
    {"an empty file", ": > f; perch run -c f", 2, "f:1:1", "there is no worker",
     "add [workers.NAME]"},
    {"a header that is not closed", "echo '[workers.app' > f; perch run -c f", 2, "f:1:1",
     "not a key = value line", "nor a [table] header"},
    {"JSON", "echo '{\"workers\": {}}' > f; perch run -c f", 2, "f:1:1", "not a key = value line",
     "nor a [table] header"},
    {"YAML", "printf 'workers:\\n  app: x\\n' > f; perch run -c f", 2, "f:1:8",
     "'=' and a value are missing", "after the key"},
};

}  // namespace

TEST_CASE("a mistake on the command line is answered with object, reason and remedy") {
  for (const Mistake& mistake : kTyped) check(mistake);
}

TEST_CASE("a mistake in the configuration is answered with object, reason and remedy") {
  for (const Mistake& mistake : kWritten) check(mistake);
}

TEST_CASE("a file that is no configuration is answered with object, reason and remedy") {
  for (const Mistake& mistake : kFiles) check(mistake);
}

}  // namespace perch::test
