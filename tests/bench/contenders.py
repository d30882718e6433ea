# SPDX-License-Identifier: Apache-2.0
"""The supervisors that are compared, and how each is set up.

A contender writes what it needs into a fresh directory and answers with the command to be started.
Each is set up as its own documentation shows it; where it cannot hold a socket, the socket is bound
anew by every start, as its users do.
"""

import enum
import pathlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass


class Policy(enum.Enum):
    """How long a contender waits before it starts a worker again."""

    FASTEST = "as fast as each can be told to"
    DEFAULT = "each one's own default"


@dataclass(frozen=True)
class Tools:
    """The programs under test and those that test them, as paths."""

    perch: pathlib.Path
    worker: pathlib.Path
    floor: pathlib.Path
    client: pathlib.Path


@dataclass(frozen=True)
class Place:
    """Where one instance of a contender lives."""

    directory: pathlib.Path
    tools: Tools
    policy: Policy

    @property
    def socket(self):
        return self.directory / "socket"

    def write(self, name, text, mode=0o644):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def run_script(self, service, text):
        """A service directory as s6, runit and daemontools have it."""
        self.write(f"services/{service}/run", f"#!/bin/sh\n{text}\n", 0o755)
        return str(self.directory / "services")

    @property
    def fastest(self):
        return self.policy is Policy.FASTEST


@dataclass(frozen=True)
class Contender:
    name: str
    package: str  # Debian's, or empty
    setup: str  # for people
    command: Callable[[Place], list[str]]

    def version(self):
        if not self.package:
            return ""
        query = ["dpkg-query", "-W", "-f", "${Version}", self.package]
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout


def floor(place):
    return [str(place.tools.floor), str(place.socket), str(place.tools.worker)]


def perch(place):
    delay = '[workers.worker.restart]\ndelay = "0s"\n' if place.fastest else ""
    config = place.write(
        "perch.toml",
        f'[perch]\ncontrol = "{place.directory}/control"\n'
        f'[listeners.socket]\npath = "{place.socket}"\n'
        f'[workers.worker]\ncommand = ["{place.tools.worker}"]\nlisteners = ["socket"]\n{delay}',
    )
    return [str(place.tools.perch), "run", "-c", config]


def s6(place):
    services = place.run_script(
        "worker", f"exec s6-ipcserver-socketbinder {place.socket} {place.tools.worker} 0"
    )
    return ["s6-svscan", services]


def s6_fdholder(place):
    rules, holder = place.directory / "rules", place.directory / "holder"
    for variable in ("S6_FDHOLDER_STORE_REGEX", "S6_FDHOLDER_RETRIEVE_REGEX"):
        place.write(f"rules/uid/0/env/{variable}", ".*")
    place.write("rules/uid/0/allow", "")
    bind_once = f"s6-ipcserver-socketbinder {place.socket} s6-fdholder-store {holder} worker"
    store_soon = f"( (until {bind_once}; do sleep 0.1; done) & )"
    place.run_script("holder", f"{store_soon}\nexec s6-fdholder-daemon -i {rules} {holder}")
    services = place.run_script(
        "worker", f"exec s6-fdholder-retrieve {holder} worker {place.tools.worker} 0"
    )
    return ["s6-svscan", services]


def bind_itself(place):
    return place.run_script("worker", f"exec {place.tools.worker} {place.socket}")


def runit(place):
    return ["runsvdir", bind_itself(place)]


def daemontools(place):
    return ["svscan", bind_itself(place)]


def supervisor(place):
    config = place.write(
        "supervisord.conf",
        f"[supervisord]\nnodaemon=true\nuser=root\nlogfile={place.directory}/log\n"
        f"pidfile={place.directory}/pid\nchildlogdir={place.directory}\n"
        f"[fcgi-program:worker]\nsocket=unix://{place.socket}\ncommand={place.tools.worker} 0\n"
        + ("autorestart=true\nstartsecs=0\n" if place.fastest else ""),
    )
    return ["supervisord", "-c", config]


def start_server(place):
    interval = ["--interval", "0"] if place.fastest else []
    return ["start_server", "--path", str(place.socket), *interval, "--", str(place.tools.worker)]


def socket_activate(place):
    loop = 'while :; do systemd-socket-activate -l "$0" "$1"; done'
    return ["sh", "-c", loop, str(place.socket), str(place.tools.worker)]


FLOOR = Contender(
    "floor", "", "a minimal C loop: hold the listener, vfork+exec, waitpid (floor.c)", floor
)
CONTENDERS = [
    FLOOR,
    Contender("floor again", "", "a second copy: what differs from the first is noise", floor),
    Contender("perch", "", "static build; holds the listener (handover listen-fds)", perch),
    Contender(
        "s6", "s6", "s6-svscan; s6-ipcserver-socketbinder in the run script binds anew", s6
    ),
    Contender(
        "s6 + fdholder",
        "s6",
        "s6-svscan; s6-fdholder-daemon holds the listener, the run script fetches it",
        s6_fdholder,
    ),
    Contender("runit", "runit", "runsvdir; the worker binds anew", runit),
    Contender("daemontools", "daemontools", "svscan; the worker binds anew", daemontools),
    Contender(
        "supervisor", "supervisor", "supervisord with an fcgi-program and its socket", supervisor
    ),
    Contender(
        "start_server", "libserver-starter-perl", "start_server --path; holds the listener",
        start_server,
    ),
    Contender(
        "socket-activate",
        "systemd",
        "systemd-socket-activate does not respawn: in a shell loop; binds anew, starts the worker"
        " at the first connection",
        socket_activate,
    ),
]
