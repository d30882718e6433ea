// SPDX-License-Identifier: Apache-2.0
// Mistakes that only the system can see: perch is told no, and says what was refused and what
// helps.
#include <doctest/doctest.h>

#include <vector>

#include "tests/support/mistake.h"
#include "tests/support/requirement.h"

namespace perch::test {
namespace {

const std::vector<Mistake> kPaths{
    {"the directory is missing", "perch run --listen $PWD/none/api.sock -- true", 1,
     "/none/api.sock", "does not exist", "create it, or mount it there"},
    {"a file instead of the directory", "touch f; perch run --listen $PWD/f/api.sock -- true", 1,
     "/f/api.sock", "is not a directory", "use another path"},
    {"a file at the path", "touch api.sock; perch run -c perch.toml", 3, "/api.sock",
     "is a regular file", "move it away, or use another path"},
    {"a directory at the path", "mkdir api.sock; perch run -c perch.toml", 3, "/api.sock",
     "is a directory", "move it away, or use another path"},
    {"a symlink at the path", "ln -s other api.sock; perch run -c perch.toml", 3, "/api.sock",
     "is a symbolic link", "move it away, or use another path"},
    {"a live socket at the path",
     "listen $PWD/api.sock; add_to_listener 'wait_for_owner = \"0s\"'; perch run -c perch.toml", 3,
     "/api.sock", "owned by a live socket", "end that one, or use another path"},
    {"another perch at the path",
     "start -c perch.toml; add_to_listener 'wait_for_owner = \"0s\"'; "
     "perch run -c perch.toml --control none",
     3, "/api.sock", "owned by another perch", "end that one, or use another path"},
    {"another perch is waited for",
     "start -c perch.toml; add_to_listener 'wait_for_owner = \"1s\"'; "
     "perch run -c perch.toml --control none",
     3, "listener api: ", "owned by another perch", "waiting up to 1s for it to go"},
    {"a directory that perch may not write to", "as_nobody perch run -c perch.toml --control none",
     1, "/.api.sock.lock", "as uid 65534: Permission denied", "let perch's user write"},
    {"a lock of another user",
     "chmod 777 .; touch .api.sock.lock; chmod 600 .api.sock.lock; "
     "as_nobody perch run -c perch.toml --control none",
     3, "/.api.sock.lock", "belongs to uid 0 and perch runs as uid 65534",
     "run perch as that user"},
    {"a full file system", "mounted nr_inodes=2 perch run --listen $PWD/m/api.sock -- true", 1,
     "/m/api.sock", "No space left on device", "free space or inodes"},
    {"a read-only file system", "mounted ro perch run --listen $PWD/m/api.sock -- true", 1,
     "/m/api.sock", "Read-only file system", "mount the directory writable"},
    {"a group for the socket that does not exist",
     "add_to_listener 'group = \"wwwdata\"'; perch run -c perch.toml", 1, "listeners.api.group",
     "has no such group", "use one that it has, or a number"},
    {"an owner for the socket without the right to give it",
     "chmod 777 .; add_to_listener 'user = \"root\"'; as_nobody perch run -c perch.toml", 1,
     "/api.sock", "needs CAP_CHOWN", "run perch as root, or leave user and group out"},
    {"a backlog above the system's",
     "add_to_listener 'backlog = 99999999'; "
     "perch run -c perch.toml --policy never -- true",
     0, "listener api", "is capped to", "raise that, or lower the backlog"},
};

const std::vector<Mistake> kCommands{
    {"a program that is nowhere", "perch run -- no-such-program", 127, "exec no-such-program",
     "No such file or directory", "no directory of PATH: write its whole path"},
    {"a path that is nowhere", "perch run -- /opt/no-such-program", 127,
     "exec /opt/no-such-program", "No such file or directory", "check the path"},
    {"a command line as one word", "perch run -- 'sleep 60'", 127, "exec sleep 60",
     "No such file or directory", "write the program and each argument by itself"},
    {"a program below a file", "perch run -- $PWD/perch.toml/app", 127, "/perch.toml/app",
     "Not a directory", "check the path"},
    {"a program without the x bit", "touch app; perch run -- $PWD/app", 126, "/app",
     "Permission denied", "chmod +x"},
    {"a directory as program", "perch run -- /usr/bin", 126, "exec /usr/bin", "Permission denied",
     "name a program in it"},
    {"a script whose interpreter is missing",
     "echo '#!/no/such/shell' > app; chmod +x app; perch run -- $PWD/app", 127, "/app",
     "No such file or directory", "the interpreter or loader it names is not"},
    {"a script without a first line",
     "echo 'echo hello' > app; chmod +x app; perch run -- $PWD/app", 126, "/app",
     "Exec format error", "a first line such as #!/bin/sh"},
    {"a program for another machine",
     "(printf '\\177ELF\\2\\1\\1\\0\\0\\0\\0\\0\\0\\0\\0\\0\\2\\0\\377\\0\\1'; head -c 99 "
     "/dev/zero) > app; "
     "chmod +x app; perch run -- $PWD/app",
     126, "/app", "Exec format error", "no program for this machine"},
    {"a program on a noexec mount",
     "mounted noexec sh -c 'cp /bin/true m; perch run -- $PWD/m/true'", 126, "/m/true",
     "Permission denied", "mounted noexec"},
    {"a program its user may not execute",
     "install -m 700 /bin/true app; as_nobody perch run --control none -- $PWD/app", 126, "/app",
     "Permission denied", "the worker's user may not execute it"},
    {"a directory of the worker that is missing",
     "add 'directory = \"/srv/none\"'; "
     "perch run -c perch.toml",
     126, "/srv/none", "No such file or directory", "make it, mount it"},
    {"another user without the right",
     "chmod 777 .; add 'user = \"daemon\"'; "
     "as_nobody perch run -c perch.toml",
     126, "set supplementary groups", "Operation not permitted", "run perch as root"},
    {"a limit above perch's own",
     "chmod 777 .; add 'rlimits = { nofile = 999999999 }'; "
     "as_nobody perch run -c perch.toml",
     126, "set resource limit", "Operation not permitted", "lower it"},
    {"a capability perch does not have",
     "chmod 777 .; add 'capabilities = [\"cap_net_raw\"]'; "
     "as_nobody perch run -c perch.toml --policy never -- true",
     0, "workers.app.capabilities", "perch itself does not have cap_net_raw",
     "give it to perch's container, or remove it"},
    {"no right to guard against the OOM killer",
     "as_nobody perch run --control none --policy never -- true", 0, "oom protection",
     "OOM kill takes", "add SYS_RESOURCE"},
};

const std::vector<Mistake> kControl{
    {"no perch runs", "perch status", 6, "/control.sock", "No such file or directory",
     "is perch running?"},
    {"perch has gone and left its socket", "start -c perch.toml; kill -9 %1; wait %1; perch reload",
     6, "/control.sock", "Connection refused", "is perch running?"},
    {"a control socket that is not perch's",
     "listen $PWD/x.sock; perch status --control $PWD/x.sock", 6, "/x.sock",
     "not an answer of HTTP", "is perch running?"},
    {"status without any right", "start -c perch.toml; as games perch status", 6, "/control.sock",
     "Permission denied", "ask as root or as perch's own user"},
    {"reload without the right",
     "add '[perch]'; add 'readers = [\"user:games\"]'; start -c perch.toml; as games perch reload",
     1, "reload", "refused", "perch.operators"},
    {"a worker misspelled", "start -c perch.toml; perch restart apo", 2, "\"apo\"",
     "there is no worker", "did you mean \"app\"?"},
    {"no worker named where there are two",
     "add '[workers.b]'; add 'command = [\"sleep\", \"60\"]'; start -c perch.toml; perch stop", 2,
     "app, b", "there are several workers", "or give --all"},
    {"a control socket's directory that is not writable",
     "as_nobody perch run --control $PWD/c.sock --policy never -- true", 0, "/c.sock",
     "Permission denied", "let perch's user write"},
    {"a file at the control socket's path",
     "touch c.sock; perch run --control $PWD/c.sock --policy never -- true", 0, "/c.sock",
     "is a regular file", "move it away, or use another path"},
    {"a control socket that another perch holds",
     "start -c perch.toml; perch run --policy never -- true", 0, "/control.sock",
     "held by another perch", "choose another path with perch.control or --control"},
    {"a port that another program has",
     "listen tcp; add '[perch]'; add \"http = '127.0.0.1:$(cat listens)'\"; "
     "perch run -c perch.toml --policy never -- true",
     0, "http port 127.0.0.1:", "Address already in use", "set perch.http to another port"},
    {"a port for root alone",
     "chmod 777 .; add '[perch]'; add 'http = \":80\"'; "
     "unshare --net bash -c 'as_nobody perch run -c perch.toml --policy never -- true'",
     0, "http port :80", "Permission denied", "CAP_NET_BIND_SERVICE"},
    {"an address of another machine",
     "add '[perch]'; add 'http = \"192.0.2.1:9480\"'; "
     "perch run -c perch.toml --policy never -- true",
     0, "http port 192.0.2.1:9480", "no interface here has this address", "use 127.0.0.1"},
    {"a group of readers that does not exist",
     "add '[perch]'; add 'readers = [\"group:nosuch\"]'; perch run -c perch.toml", 2,
     "perch.readers", "has no such group", "use one that it has, or a number"},
    {"a configuration that may not be read",
     "chmod 600 perch.toml; as_nobody perch run -c perch.toml", 2, "perch.toml",
     "Permission denied", "check -c or PERCH_CONFIG"},
    {"a reload of a broken file", "start -c perch.toml; add 'comand = []'; perch reload", 1,
     "workers.app.comand", "reload refused, nothing has changed: ", "did you mean \"command\"?"},
    {"a reload with a new path in no directory",
     "start -c perch.toml; sed -i s/api.sock/none.d.sock/ perch.toml; "
     "sed -i s/none.d/none.d\\\\/a/ perch.toml; perch reload",
     1, "listener api", "does not exist", "create it, or mount it there"},
    {"not ready",
     "add 'handover = \"channel\"'; perch run -c perch.toml 2> log & "
     "until grep -q starting log; do sleep 0.01; done; perch ready",
     5, "app", "not ready", ""},
};

bool have_rights() { return have(is_root(), "needs root: other users, mounts"); }

}  // namespace

TEST_CASE("a path that cannot be had is answered with object, reason and remedy") {
  if (!have_rights()) return;
  for (const Mistake& mistake : kPaths) check(mistake);
}

TEST_CASE("a command that cannot be run is answered with object, reason and remedy") {
  if (!have_rights()) return;
  for (const Mistake& mistake : kCommands) check(mistake);
}

TEST_CASE("a perch that cannot be asked is answered with object, reason and remedy") {
  if (!have_rights()) return;
  for (const Mistake& mistake : kControl) check(mistake);
}

}  // namespace perch::test
