#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""footprint.py PERCH: what a perch with one worker keeps in memory, held to limits.

PERCH is stripped first, as packages do. Measured while it waits with its worker, and again after it
has respawned one and told its status: most of its code is in use then. What README says of both is
to be true within a tenth."""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

LIMITS_KIB = {"settled": (1800, 300), "after a death and a status": (2900, 400)}
DEADLINE_S = 20
README = pathlib.Path(__file__).parents[2] / "README.md"
TOLD = r"of which ([\d.]+) MB are resident while it waits with a worker, and ([\d.]+) MB once"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("perch")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self.path))


def status(control):
    connection = UnixConnection(control)
    connection.request("GET", "/v1/status")
    return json.load(connection.getresponse())


def deaths(document):
    return sum(sum(worker["deaths"].values()) for worker in document["workers"].values())


def kib(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    figures = dict(line.split(":", 1) for line in lines)
    return int(figures["VmRSS"].split()[0]), int(figures["RssAnon"].split()[0])


def read_anew(path):
    """A file that was just written is cached in blocks as large as the writes were, each of which
    is mapped whole where one byte of it is used: up to 1 MB more. Read from the disk it is cached
    as on any machine that was started since."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    path.read_bytes()


def only_child(pid):
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None


def at_rest(pid):
    """In epoll_wait() without a timeout: all that was to be done soon is done."""
    call = pathlib.Path(f"/proc/{pid}/syscall").read_text().split()
    wchan = pathlib.Path(f"/proc/{pid}/wchan").read_text()
    return "epoll" in wchan and len(call) > 4 and int(call[4], 16) & 0xffffffff == 0xffffffff


def told_mb():
    """{when: megabytes}, in the order of LIMITS_KIB."""
    told = re.search(TOLD, " ".join(README.read_text().split()))
    return dict(zip(LIMITS_KIB, map(float, told.groups())))


def wait_until(condition):
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.01)
    sys.exit("footprint: perch did not get ready")


def main():
    with tempfile.TemporaryDirectory() as directory:
        here = pathlib.Path(directory)
        perch, control, log = here / "perch", here / "control.sock", here / "log"
        subprocess.run(["strip", "-o", perch, sys.argv[1]], check=True)
        read_anew(perch)
        command = [perch, "run", "--listen", here / "app.sock", "--", "sleep", "infinity"]
        with log.open("wb") as errors:
            process = subprocess.Popen(command, env={"PERCH_CONTROL": str(control)}, stderr=errors)
        try:
            wait_until(lambda: only_child(process.pid))
            wait_until(lambda: at_rest(process.pid))
            figures = {"settled": kib(process.pid)}
            os.kill(only_child(process.pid), signal.SIGKILL)
            wait_until(lambda: deaths(status(control)) == 1)
            figures["after a death and a status"] = kib(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE_S)
    within = True
    for when, (resident, anonymous) in figures.items():
        limits, told = LIMITS_KIB[when], told_mb()[when]
        print(f"{when}: {resident} KiB resident (limit {limits[0]}, README says {told} MB), "
              f"{anonymous} KiB anonymous (limit {limits[1]})")
        within &= resident <= limits[0] and anonymous <= limits[1]
        within &= abs(resident * 1024 / 1e6 - told) <= told / 10
    sys.exit(0 if within else 1)


main()
