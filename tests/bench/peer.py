# SPDX-License-Identifier: Apache-2.0
"""Measures a download through a peer that is killed all the time; tests/bench/peer starts it."""

import argparse
import contextlib
import errno
import hashlib
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import processes
import report
from bench import HERE, ROOT, int_above_zero, nothing_left_behind
from memory_cgroup import MemoryCgroup

MIB = 1 << 20
ORIGIN = ROOT / "tests" / "fixtures" / "origin.py"
# What a kill may cost at most, on average, and what the peer may take.
MOST_PER_KILL = MIB
MOST_MEMORY = 64 << 10  # KiB
# Room for perch, the peer and the pages of its store that are being written.
CGROUP_LIMIT = 256 * MIB
CONFIG = """[listeners.peer]
path = "{place}/peer.sock"
[workers.peer]
command = ["{peer}", "serve", "--store", "{place}/store"]
listeners = ["peer"]
handover = "channel"
[workers.peer.restart]
delay = "0ms"
"""


def options():
    parser = argparse.ArgumentParser(
        prog="tests/bench/peer",
        description="Downloads a file through perch-peer under perch while the peer is killed again"
        " and again: by SIGKILL, then by the kernel's OOM killer. Builds what it needs; takes some"
        " minutes, as root. Ends with 1 when a figure is not what the peer promises.",
    )
    add = parser.add_argument
    add("--perch", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    add("--peer", type=pathlib.Path, default=ROOT / "build/gcc/worker/peer/perch-peer",
        help=argparse.SUPPRESS)
    add("--size", type=int_above_zero, metavar="MIB", default=1024, help="of the file (1024)")
    add("--rate", type=int_above_zero, metavar="MIB", default=200, help="of the origin, a second (200)")
    add("--every", type=int_above_zero, metavar="MS", default=200, help="between two kills (200)")
    add("--out", type=pathlib.Path, metavar="DIR", default=HERE / "results",
        help="where the results go (tests/bench/results)")
    return parser.parse_args()


class Origin:
    """tests/fixtures/origin.py with one file of random bytes; it counts what it sends."""

    def __init__(self, directory, size, rate):
        self.size = size
        self.sum = _random_file(directory / "file", size)
        command = [sys.executable, ORIGIN, "--root", directory, "--rate", str(rate)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._address = f"http://127.0.0.1:{self._process.stdout.readline().split()[1]}"
        self.url = f"{self._address}/file/file"

    def bytes_sent(self):
        with urllib.request.urlopen(f"{self._address}/stats") as answer:
            return json.load(answer)["bytes"]

    def stop(self):
        processes.kill_tree(self._process.pid)
        self._process.wait()


def _random_file(path, size):
    sha256 = hashlib.sha256()
    with open(path, "wb") as file:
        for begin in range(0, size, MIB):
            block = os.urandom(min(MIB, size - begin))
            sha256.update(block)
            file.write(block)
    return sha256.hexdigest()


class Supervised:
    """perch with the peer as its worker, in a cgroup where one is given."""

    def __init__(self, chosen, place, cgroup):
        self.socket = place / "peer.sock"
        self._control = place / "perch.sock"
        self._perch = chosen.perch
        self._peer = os.path.realpath(chosen.peer)
        self.most_memory = 0  # KiB resident, of any one peer
        config = place / "perch.toml"
        config.write_text(CONFIG.format(place=place, peer=self._peer))
        with open(place / "perch.log", "wb") as log:
            self._process = subprocess.Popen(
                [chosen.perch, "run", "-c", config, "--control", self._control],
                stderr=log,
                preexec_fn=cgroup.enter if cgroup else None,
            )

    def worker(self):
        """The peer's pid once it has begun, with its peak memory noted."""
        for pid in processes.children(self._process.pid):
            if processes.executable(pid) == self._peer:
                self.most_memory = max(self.most_memory, _peak_memory(pid))
                return pid
        return None

    def deaths(self):
        """By cause, as perch counts them."""
        status = [self._perch, "status", "--json", "--control", self._control]
        answer = subprocess.run(status, stdout=subprocess.PIPE, check=True).stdout
        return json.loads(answer)["workers"]["peer"]["deaths"]

    def stop(self):
        processes.kill_tree(self._process.pid)
        self._process.wait()


def _peak_memory(pid):
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


class Knocking:
    """Another client: it connects again and again, and counts what happens."""

    def __init__(self, path):
        self.connects, self.refused, self.inodes = 0, 0, set()
        self._path, self._over = str(path), threading.Event()
        self._thread = threading.Thread(target=self._knock, daemon=True)
        self._thread.start()

    def stop(self):
        self._over.set()
        self._thread.join()

    def _knock(self):
        while not self._over.wait(0.002):
            with socket.socket(socket.AF_UNIX) as one:
                one.settimeout(0)
                self.connects += 1
                result = one.connect_ex(self._path)
                self.refused += result != 0
                if result:
                    print(f"refused: {errno.errorcode[result]}", file=sys.stderr, flush=True)
            with contextlib.suppress(FileNotFoundError):
                self.inodes.add(os.stat(self._path).st_ino)


def by_signal(supervised, _):
    if pid := supervised.worker():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def by_oom(supervised, cgroup):
    supervised.worker()
    cgroup.oom_kill()


def nobody(_supervised, _cgroup):
    pass


def download(chosen, origin, place, kill, cgroup):
    """One whole download under kills; what it took."""
    sent_before = origin.bytes_sent()
    supervised = Supervised(chosen, place, cgroup)
    while not supervised.socket.exists():
        time.sleep(0.01)
    knocking = Knocking(supervised.socket)
    output = place / "output"
    get = [chosen.peer, "get", origin.url, "-O", output, "--socket", supervised.socket]
    get += ["--digest", f"sha256:{origin.sum}", "--timeout", "600"]
    began = time.monotonic()
    client = subprocess.Popen(get, stderr=subprocess.DEVNULL)
    next_kill = began
    while client.poll() is None:
        next_kill = max(next_kill + chosen.every / 1000, time.monotonic())
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.wait(next_kill - time.monotonic())
            break
        kill(supervised, cgroup)
    took = time.monotonic() - began
    supervised.worker()
    knocking.stop()
    deaths = supervised.deaths()
    supervised.stop()
    if client.returncode != 0:
        raise RuntimeError(f"perch-peer get ended with {client.returncode}; deaths: {deaths}")
    with open(output, "rb") as file:
        right = hashlib.file_digest(file, "sha256").hexdigest() == origin.sum
    return {
        "deaths": {cause: count for cause, count in deaths.items() if count},
        "seconds": took,
        "right": right,
        "connects": knocking.connects,
        "refused": knocking.refused,
        "inodes": len(knocking.inodes),
        "twice": origin.bytes_sent() - sent_before - origin.size,
        "memory": supervised.most_memory,
    }


def kills_of(run):
    return sum(run["deaths"].values())


def faults(name, run):
    """What is not as promised."""
    kills = kills_of(run)
    wrong = {
        "nobody was killed": name != "nobody" and not kills,
        "the file is not the origin's": not run["right"],
        f"{run['refused']} connects were refused": run["refused"],
        f"the socket was {run['inodes']} inodes": run["inodes"] != 1,
        f"a kill cost {run['twice']} / {kills} bytes": kills and run["twice"] >= MOST_PER_KILL * kills,
        f"the peer took {run['memory']} KiB": run["memory"] >= MOST_MEMORY,
    }
    return [f"tests/bench/peer: {name}: {what}" for what, is_so in wrong.items() if is_so]


def row(name, run):
    kills = kills_of(run)
    per_kill = f"{run['twice'] / kills / MIB:.2f} MiB" if kills else "-"
    return [
        name,
        ", ".join(f"{count} {cause}" for cause, count in run["deaths"].items()) or "none",
        f"{run['seconds']:.1f} s",
        "right" if run["right"] else "WRONG",
        f"{run['refused']} of {run['connects']:,}",
        f"{run['inodes']}",
        f"{run['twice'] / MIB:.1f} MiB",
        per_kill,
        f"{run['memory'] / 1024:.1f} MiB",
    ]


def markdown(chosen, runs, command):
    head = ["killed by", "deaths", "time", "SHA-256", "connects refused", "inodes of the socket",
            "sent twice", "a kill", "peer's peak memory"]
    what = f"{chosen.size} MiB from an origin that sends {chosen.rate} MiB a second, a kill every"
    table = report.table(head, [row(name, run) for name, run in runs.items()])
    return f"{what} {chosen.every} ms. Made by `{command}` on {report.machine()}.\n\n{table}\n"


def measure(chosen, base):
    origin = Origin(base, chosen.size * MIB, chosen.rate * MIB)
    runs = {}
    for name, kill in (("nobody", nobody), ("SIGKILL", by_signal), ("OOM killer", by_oom)):
        print(name, file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=base) as place, contextlib.ExitStack() as stack:
            cgroup = stack.enter_context(MemoryCgroup(CGROUP_LIMIT)) if kill is by_oom else None
            runs[name] = download(chosen, origin, pathlib.Path(place), kill, cgroup)
    origin.stop()
    return runs


def main():
    chosen = options()
    command = shlex.join(["tests/bench/peer", *sys.argv[3:]])  # after --perch PATH
    with tempfile.TemporaryDirectory(prefix="bench.") as base, nothing_left_behind():
        runs = measure(chosen, pathlib.Path(base))
    text = markdown(chosen, runs, command)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "peer.md").write_text(text)
    print(text)
    wrong = [line for name, run in runs.items() for line in faults(name, run)]
    sys.exit("\n".join(wrong) or 0)


if __name__ == "__main__":
    main()
