#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""bash, zsh and fish, the real ones, offer all that the binary knows and nothing else."""
import contextlib
import functools
import http.server
import os
import re
import shutil
import subprocess
import tempfile
import threading
import unittest

import perch_says

COMPLETIONS = f"{perch_says.SOURCES}/packaging/completions"
WAYS = {"channel", "intercept", "listen-fds", "stdin"}
VALUES = {
    "--handover": WAYS,
    "--policy": {"always", "on-failure", "never"},
    "--log-format": {"auto", "json", "text"},
}

BASH = """
source "$0"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"_${1//-/_}"
printf '%s\\n' "${COMPREPLY[@]}"
"""

FISH = "source $argv[1]; complete -C $argv[2]"

# The interactive zsh prints what would be added, instead of adding it.
ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "fpath=($1 \\$fpath); source $2"
zpty -r shell _ '*@ready@*'
zpty -w -n shell "$3"$'\\t'
zpty -r shell said '*@end@*'
print -r -- "$said"
"""
ZSH_SETUP = """
autoload -Uz compinit && compinit -D -u
compadd() {
  if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]]; then builtin compadd "$@"; return; fi
  local -a hits
  builtin compadd -O hits "$@"
  printf '@match@%s@' "${hits[@]}"
}
finish() { print -n -- @en'd'@ }
comppostfuncs=(finish)
print -- @read'y'@
"""


def shell(*command):
    places = [os.path.dirname(program) for program in (perch_says.PERCH, perch_says.PEER)
              if program]
    environment = os.environ | {"PATH": ":".join([*places, os.environ["PATH"]]), "TERM": "dumb"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          env=environment).stdout


def by_bash(line):
    # '=' is one of COMP_WORDBREAKS.
    words = line.replace("=", " = ").split() + ([""] if line.endswith(" ") else [])
    return set(shell("bash", "-c", BASH, f"{COMPLETIONS}/{words[0]}.bash", *words).split())


def by_fish(line):
    said = shell("fish", "--no-config", "-c", FISH, f"{COMPLETIONS}/perch.fish", line)
    return {row.split("\t")[0] for row in said.splitlines()}


def by_zsh(line):
    with tempfile.NamedTemporaryFile("w") as setup:
        setup.write(ZSH_SETUP)
        setup.flush()
        said = shell("zsh", "-f", "-c", ZSH, "zsh", COMPLETIONS, setup.name, line)
    return set(re.findall(r"@match@([^@]+)@", said))


@contextlib.contextmanager
def file_server(directory):
    """An HTTP server of a directory's files, and its URL."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=directory)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def running_peer(place):
    """The socket of a peer without perch, for as long as the block runs."""
    socket = f"{place}/peer.sock"
    command = [perch_says.PEER, "serve", "--store", f"{place}/store", "--socket", socket]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as peer:
        try:
            yield socket
        finally:
            peer.terminate()


class Completion:
    """What holds in every shell."""
    complete = None

    def setUp(self):
        perch_says.need(shutil.which(self.name), f"needs {self.name}")

    def assert_offers(self, line, wanted):
        self.assertEqual(type(self).complete(line), set(wanted), line)

    def test_every_command(self):
        self.assert_offers("perch ", perch_says.commands())
        self.assert_offers("perch re", {"restart", "reload", "ready"} & set(perch_says.commands()))

    def test_every_option_of_every_command(self):
        for name, command in perch_says.commands().items():
            self.assert_offers(f"perch {name} --", command.options)
        self.assert_offers("perch --", {"--help", "--version"})

    def test_every_value_that_is_one_of_a_few(self):
        for option, values in VALUES.items():
            self.assert_offers(f"perch run {option} ", values)
        self.assert_offers("perch check --handover l", {"listen-fds"})

    def test_files_for_a_configuration(self):
        with tempfile.TemporaryDirectory() as place:
            for name in "one.toml", "other.toml":
                with open(f"{place}/{name}", "w", encoding="utf-8"):
                    pass
            offered = type(self).complete(f"perch run -c {place}/o")
            named = type(self).complete(f"perch run --listen api={place}/o")
        for words in offered, named:
            self.assertEqual({word.rsplit("/", 1)[-1] for word in words},
                             {"one.toml", "other.toml"})

    def test_the_names_of_workers_and_quietly_none_where_no_perch_runs(self):
        takers = [name for name, command in perch_says.commands().items()
                  if "WORKER" in command.usage]
        with tempfile.TemporaryDirectory() as place, perch_says.running_config(f"""
                [listeners.no-worker]
                path = "{place}/a.sock"
                [workers.one]
                command = ["sleep", "60"]
                listeners = ["no-worker"]
                [workers.the-other]
                command = ["sleep", "60"]
                """) as control:
            for command in takers:
                self.assert_offers(f"perch {command} --control {control} ", {"one", "the-other"})
        for command in takers:
            self.assert_offers(f"perch {command} --control {control} ", set())

    def test_the_command_of_a_worker(self):
        self.assertIn("ls", type(self).complete("perch run --listen /run/a.sock -- ls"))


class Bash(Completion, unittest.TestCase):
    name, complete = "bash", staticmethod(by_bash)


class Fish(Completion, unittest.TestCase):
    name, complete = "fish", staticmethod(by_fish)


class Zsh(Completion, unittest.TestCase):
    name, complete = "zsh", staticmethod(by_zsh)


class Peer(unittest.TestCase):
    """perch-peer in bash."""

    def setUp(self):
        perch_says.need_peer()

    def test_every_command_and_every_option(self):
        commands = perch_says.peer_commands()
        self.assertEqual(by_bash("perch-peer "), set(commands))
        for command, told in commands.items():
            options = set(re.findall(r"^  (?:-\w,)?(--[\w-]+)", told, re.MULTILINE))
            self.assertEqual(by_bash(f"perch-peer {command} --"), options, command)

    def test_files_at_a_path_and_nothing_where_nobody_can_guess(self):
        with tempfile.TemporaryDirectory() as place:
            with open(f"{place}/one.sock", "w", encoding="utf-8"):
                pass
            self.assertEqual(by_bash(f"perch-peer ls --socket {place}/o"), {f"{place}/one.sock"})
        self.assertEqual(by_bash("perch-peer get --digest "), set())

    def test_the_tasks_of_a_peer_and_quietly_none_where_no_peer_runs(self):
        with tempfile.TemporaryDirectory() as place:
            with open(f"{place}/file", "w", encoding="utf-8") as file:
                file.write("some words")
            with file_server(place) as url, running_peer(place) as socket:
                subprocess.run([perch_says.PEER, "get", "-q", "--socket", socket,
                                "-O", f"{place}/got", f"{url}/file"], timeout=60, check=True)
                task, = subprocess.run([perch_says.PEER, "ls", "--socket", socket], text=True,
                                       timeout=60, capture_output=True,
                                       check=True).stdout.split()[:1]
                for command in "stat", "rm":
                    self.assertEqual(by_bash(f"perch-peer {command} --socket {socket} "), {task})
            self.assertEqual(by_bash(f"perch-peer rm --socket {place}/none "), set())


if __name__ == "__main__":
    unittest.main()
