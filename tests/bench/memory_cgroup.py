# SPDX-License-Identifier: Apache-2.0
"""A memory cgroup of our own, of either version, and OOM kills in it."""

import contextlib
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path("/sys/fs/cgroup")
BALLAST = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "ballast.py"


class MemoryCgroup:
    """Needs the right to make one. Gone when the context ends, with whoever is still in it."""

    def __init__(self, limit):
        self.path = _parent() / f"perch-bench-{os.getpid()}"
        self._limit = limit

    def __enter__(self):
        self.path.mkdir()
        if (self.path / "memory.max").exists():
            self.counter = self.path / "memory.events"
            self._set("memory.max", self._limit)
            with contextlib.suppress(FileNotFoundError):
                self._set("memory.swap.max", 0)
        else:
            self.counter = self.path / "memory.oom_control"
            self._set("memory.limit_in_bytes", self._limit)
            self._set("memory.swappiness", 0)
        return self

    def __exit__(self, *_):
        deadline = time.monotonic() + 10  # it stays busy for a moment after its last process
        while self.path.exists() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                self.path.rmdir()
            time.sleep(0.01)

    def enter(self):
        """This process goes in: for a child between fork and exec."""
        self._set("cgroup.procs", os.getpid())

    def oom_kill(self):
        """Returns once the kernel has killed somebody: the process that it likes least."""
        ballast = [sys.executable, BALLAST, self.counter]
        subprocess.run(ballast, preexec_fn=self.enter, check=False)

    def _set(self, knob, value):
        (self.path / knob).write_text(str(value))


def _parent():
    """Where this process is, or the nearest above whose children may have a memory limit."""
    places = [line.rstrip("\n").split(":", 2) for line in open("/proc/self/cgroup")]
    if (ROOT / "memory").is_dir():
        path = next(path for _, controllers, path in places if controllers == "memory")
        return _seen(ROOT / "memory", path)
    place = _seen(ROOT, next(path for _, controllers, path in places if controllers == ""))
    while "memory" not in (place / "cgroup.subtree_control").read_text().split():
        if place == ROOT:
            raise OSError("no cgroup above this one gives its children memory limits")
        place = place.parent
    return place


def _seen(mount, path):
    """Inside a container the path is the host's and the mount shows the container's part alone."""
    place = mount / path.lstrip("/")
    return place if place.is_dir() else mount
