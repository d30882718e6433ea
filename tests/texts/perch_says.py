# SPDX-License-Identifier: Apache-2.0
"""What the binaries say of themselves: commands and options of their help, keys and defaults of
perch's configuration. Texts that people wrote are checked against this, in both directions."""
import contextlib
import os
import re
import subprocess
import tempfile
import tomllib
import unittest

PERCH = os.environ["PERCH_BINARY"]
PEER = os.environ.get("PERCH_PEER_BINARY", "")
for variable in "PERCH_CONFIG", "PERCH_CONTROL":
    os.environ.pop(variable, None)
SOURCES = os.environ["PERCH_SOURCES"]

MINIMAL = {
    "perch": "",
    "listeners.api": 'path = "/run/app/api.sock"\n',
    "workers.app": 'command = ["app"]\nlisteners = ["api"]\n',
}
# The tables in the configuration, and what texts call them.
TABLES = ["perch", "listeners.api", "workers.app", "workers.app.rlimits", "workers.app.memory",
          "workers.app.readiness", "workers.app.restart"]


def need(condition, reason):
    """What a test needs and may not find: it is skipped then, where tests may be."""
    if condition:
        return
    if os.environ.get("PERCH_REQUIRE_ALL") == "1":
        raise AssertionError(f"PERCH_REQUIRE_ALL=1, but: {reason}")
    print(f"[skip] {reason}", flush=True)
    raise unittest.SkipTest(reason)


def run(*arguments, **options):
    return subprocess.run([PERCH, *arguments], capture_output=True, text=True, timeout=60,
                          check=False, **options)


def lines_between(text, begin, end):
    """The lines after the one that begins with `begin`, up to an empty one or `end`."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith(begin):
            break
    found = []
    for line in lines:
        if line == end:
            break
        found.append(line)
    return found


class Command:
    def __init__(self, name):
        self.help = run(name, "--help").stdout
        self.usage = re.search(r"^Usage: (.*)$", self.help, re.MULTILINE).group(1)
        rows = [re.match(r"  ((?:-\w,)?--[\w-]+)( \S+)?(?:\s|$)", line)
                for line in lines_between(self.help, "Options:", "")]
        rows = [row for row in rows if row]
        # "--listen" -> "[NAME=]PATH"; None where it takes no value.
        self.options = {name: value and value.strip() for row in rows
                        for name, value in [(row.group(1).split(",")[-1], row.group(2))]}
        self.short_options = {row.group(1)[:2] for row in rows if "," in row.group(1)}


def commands():
    rows = lines_between(run("--help").stdout, "Commands", "")
    names = [row.split()[0] for row in rows]
    return {name: Command(name) for name in names}


def need_peer():
    need(os.path.exists(PEER), "needs perch-peer, which is not built here")


def peer_help(*command):
    return subprocess.run([PEER, *command, "--help"], capture_output=True, text=True, timeout=60,
                          check=True).stdout


def peer_commands():
    """{name: its help}"""
    rows = lines_between(peer_help(), "Subcommands:", "")
    return {row.split()[0]: peer_help(row.split()[0]) for row in rows}


def exit_codes():
    """{code: meaning}"""
    rows = (row.split(maxsplit=1) for row in lines_between(run("--help").stdout, "Exit codes:", ""))
    return {int(code): meaning for code, meaning in rows}


def check(config, *arguments, **options):
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(config)
        file.flush()
        return run("check", "-c", file.name, *arguments, **options)


def config_with(table="", lines=""):
    tables = MINIMAL | {table: MINIMAL.get(table, "") + lines}
    return "".join(f"[{name}]\n{text}" for name, text in tables.items() if name)


def keys_of(table):
    """The keys the binary knows in a table: it names them to whoever writes an unknown one."""
    said = check(config_with(table, "zzzzzzzz = 1\n")).stderr
    return re.search(r"known are: (.*)", said).group(1).split(", ")


def defaults():
    """perch check's answer to the least configuration, as nested dictionaries."""
    return tomllib.loads(check(config_with()).stdout)


def running_perch(workers):
    """A perch with these workers, for as long as the block runs; its control socket's path."""
    return running_config("".join(f'[workers.{name}]\ncommand = ["sleep", "60"]\n'
                                  for name in workers))


@contextlib.contextmanager
def running_config(config):
    with tempfile.TemporaryDirectory() as place:
        control = f"{place}/control.sock"
        with open(f"{place}/perch.toml", "w", encoding="utf-8") as file:
            file.write(config)
        with subprocess.Popen([PERCH, "run", "-c", file.name, "--control", control],
                              stderr=subprocess.DEVNULL) as perch:
            try:
                while run("ready", "--control", control).returncode != 0:
                    assert perch.poll() is None
                yield control
            finally:
                perch.terminate()
