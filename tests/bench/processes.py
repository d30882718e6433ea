# SPDX-License-Identifier: Apache-2.0
"""Processes as /proc shows them, and their end."""

import ctypes
import os
import pathlib
import signal
from dataclasses import dataclass

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """What our children leave behind becomes ours, so that it can be found and ended."""
    if ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("cannot become a subreaper")


def children(pid):
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        lists = [pathlib.Path(f"/proc/{pid}/task/{thread}/children") for thread in threads]
        return [int(child) for path in lists for child in path.read_text().split()]
    except OSError:
        return []


def tree(pid):
    """The process and its descendants, parents first."""
    found = [pid]
    for parent in found:
        found += children(parent)
    return found


def executable(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def kill_tree(pid):
    """Stopped first: whoever is stopped starts nobody while its children are listed."""
    _send(pid, signal.SIGSTOP)
    below = children(pid)
    _send(pid, signal.SIGKILL)
    for child in below:
        kill_tree(child)


def kill_all_children():
    """Ends and reaps all that was started from here, however deep."""
    while True:
        for child in children(os.getpid()):
            kill_tree(child)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


@dataclass(frozen=True)
class Memory:
    """In KiB, added up over processes: pages that two of them share count twice."""

    resident: int
    anonymous: int


def memory(pids):
    fields = [_status(f"/proc/{pid}/status") for pid in pids]
    return Memory(
        resident=sum(int(field["VmRSS"].split()[0]) for field in fields),
        anonymous=sum(int(field["RssAnon"].split()[0]) for field in fields),
    )


def context_switches(pids):
    """Of all threads, voluntary or not: each wake-up is at least one."""
    return sum(
        int(status["voluntary_ctxt_switches"]) + int(status["nonvoluntary_ctxt_switches"])
        for pid in pids
        for thread in os.listdir(f"/proc/{pid}/task")
        for status in [_status(f"/proc/{pid}/task/{thread}/status")]
    )


def _status(path):
    lines = pathlib.Path(path).read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)
