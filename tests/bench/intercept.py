# SPDX-License-Identifier: Apache-2.0
"""Measures what the hand-over intercept costs; tests/bench/intercept starts it."""

import argparse
import contextlib
import pathlib
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import processes
import report
from bench import HERE, int_above_zero, nothing_left_behind

SLICES = 5  # of each figure and side in a round

FIGURES = {
    "syscall": "getppid calls",
    "exchange": "64 bytes written to a socket and read",
    "request": "nginx: requests on connections that are kept",
    "connection": "nginx: requests with a connection each",
}
NGINX = """daemon off;
user root;
pid {0}/pid;
error_log stderr crit;
events {{ worker_connections 128; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {0}/body;
  proxy_temp_path {0}/proxy;
  fastcgi_temp_path {0}/fastcgi;
  uwsgi_temp_path {0}/uwsgi;
  scgi_temp_path {0}/scgi;
  server {{
    listen unix:{0}/socket;
    location / {{ return 200 hello; }}
  }}
}}
"""


def options():
    parser = argparse.ArgumentParser(
        prog="tests/bench/intercept",
        description="Measures the rate of system calls and of nginx' replies with and without the"
        " hand-over intercept, in turns. Installs what it needs; takes some minutes, as root.",
    )
    add = parser.add_argument
    add("--perch", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    add("--rounds", type=int_above_zero, metavar="N", default=10, help="each with fresh processes (10)")
    add("--seconds", type=float, metavar="S", default=0.2, help="of each slice (0.2)")
    add("--out", type=pathlib.Path, metavar="DIR", default=HERE / "results",
        help="where the results go (tests/bench/results)")
    return parser.parse_args()


def build_rate(directory):
    compiler = ["musl-gcc", "-static", "-s", "-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*compiler, "-o", directory / "rate", HERE / "rate.c"], check=True)
    return directory / "rate"


def number(command):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode != 0:
        raise RuntimeError(f"{shlex.join(map(str, command))}: {run.stderr}")
    return float(run.stdout)


class Side:
    """One of the two that are compared: under intercept, or without. Both run under perch."""

    def __init__(self, chosen, rate, directory, intercepted):
        self.perch, self.seconds, self.rate = chosen.perch, str(chosen.seconds), rate
        self.directory, self.intercepted = directory, intercepted
        self.socket = directory / "nginx" / "socket"

    def measure(self, figure):
        if figure in ("request", "connection"):
            return number([self.rate, figure, self.seconds, self.socket])
        return number(self._loop(figure))

    def _loop(self, figure):
        """Without intercept it has no reason to bind."""
        socket = self.directory / "loop"
        bound = [socket] if self.intercepted else []
        return self._perch("stdin", socket, [self.rate, figure, self.seconds, *bound])

    def _perch(self, otherwise, socket, command):
        handover = "intercept" if self.intercepted else otherwise
        run = [self.perch, "run", "--control", "none", "--policy", "never"]
        return [*run, "--listen", socket, "--handover", handover, "--", *command]

    @contextlib.contextmanager
    def nginx(self):
        place = self.socket.parent
        place.mkdir()
        (place / "nginx.conf").write_text(NGINX.format(place))
        command = [] if self.intercepted else ["env", "NGINX=3;"]
        command += ["nginx", "-c", place / "nginx.conf", "-p", place]
        supervisor = subprocess.Popen(
            self._perch("listen-fds", self.socket, command), stderr=subprocess.DEVNULL
        )
        try:
            self._wait_until_it_serves()
            yield
        finally:
            processes.kill_tree(supervisor.pid)
            supervisor.wait()
            shutil.rmtree(place)

    def _wait_until_it_serves(self):
        """The path is there before nginx is: a first request waits for its reply."""
        deadline = time.monotonic() + 10
        while not self.socket.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        number([self.rate, "connection", "0.05", self.socket])


def measure(chosen, base):
    """Rates of each figure, with and without in turns; who comes first changes, too."""
    rate = build_rate(base)
    sides = []
    for name, intercepted in (("without", False), ("with", True)):
        (base / name).mkdir()
        sides.append(Side(chosen, rate, base / name, intercepted))
    rates = {figure: {True: [], False: []} for figure in FIGURES}
    for turn in range(chosen.rounds):
        print(f"round {turn + 1} of {chosen.rounds}", file=sys.stderr, flush=True)
        with sides[0].nginx(), sides[1].nginx():
            for figure, both in rates.items():
                for _ in range(SLICES):
                    sides.reverse()
                    for side in sides:
                        both[side.intercepted].append(side.measure(figure))
    return rates


def row(figure, rates):
    ratios = sorted(a / b for a, b in zip(rates[True], rates[False]))
    quarter = len(ratios) // 4
    return [
        FIGURES[figure],
        f"{statistics.median(rates[False]):,.0f}",
        f"{statistics.median(rates[True]):,.0f}",
        f"{statistics.median(ratios):.3f}",
        f"{ratios[quarter]:.3f} to {ratios[-1 - quarter]:.3f}",
    ]


def markdown(rates, command):
    head = ["per second, median", "without", "with intercept", "ratio", "half of the ratios"]
    table = report.table(head, [row(figure, both) for figure, both in rates.items()])
    return f"Made by `{command}` on {report.machine()}.\n\n{table}\n"


def main():
    chosen = options()
    command = shlex.join(["tests/bench/intercept", *sys.argv[3:]])  # after --perch PATH
    with tempfile.TemporaryDirectory(prefix="bench.") as base, nothing_left_behind():
        rates = measure(chosen, pathlib.Path(base))
    text = markdown(rates, command)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "intercept.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
