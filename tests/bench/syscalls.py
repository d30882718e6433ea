# SPDX-License-Identifier: Apache-2.0
"""Counts system calls between a worker's death and the next one's exec in strace's output."""

import re
import statistics
from dataclasses import dataclass

_CALL = re.compile(r"^(\d+) +\w+\(")
_KILLED = re.compile(r"^(\d+) +\+\+\+ killed by SIGKILL")
_LOG_WRITE = re.compile(r"^\d+ +\w*write\w*\([12],")


@dataclass(frozen=True)
class Calls:
    """Medians over several deaths."""

    supervisor: float  # by processes that were there before: what a death costs the supervisor
    starting: float  # by new processes until one is the worker: run scripts, rights, descriptors


def count(trace, worker):
    with open(trace, encoding="utf-8", errors="replace") as lines:
        deaths = list(_deaths(lines, f'execve("{worker}"'))
    return Calls(
        supervisor=statistics.median(old for old, _ in deaths),
        starting=statistics.median(new for _, new in deaths),
    )


def _deaths(lines, exec_of_worker):
    """For each death that an exec follows: calls of processes known before it, and of new ones."""
    known, worker, old, new = set(), None, None, None
    for line in lines:
        call = _CALL.match(line)
        if exec_of_worker in line:
            if old is not None:
                yield old, new
            worker, old, new = call[1], None, None
            known.add(worker)
        elif old is None:
            known.add(line.split()[0])
            killed = _KILLED.match(line)
            if killed and killed[1] == worker:
                old, new = 0, 0
        elif call and not _LOG_WRITE.match(line):
            old, new = (old + 1, new) if call[1] in known else (old, new + 1)
