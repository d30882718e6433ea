# SPDX-License-Identifier: Apache-2.0
"""One perch with many workers, each with a listener of its own, beside a perch with one."""

import socket
import time
from dataclasses import dataclass

import processes
from contenders import Contender, Policy
from measure import in_turns, say


@dataclass
class Scale:
    workers: int
    single: processes.Memory
    many: processes.Memory
    single_recoveries: list
    many_recoveries: list
    status_seconds: list
    status_bytes: int

    def per_worker(self, kind):
        """KiB of memory that one more worker costs."""
        return (getattr(self.many, kind) - getattr(self.single, kind)) / (self.workers - 1)


def crowd(workers):
    """A perch with so many workers; the path of a place is the first one's socket."""

    def command(place):
        sections = [f'[perch]\ncontrol = "{place.directory}/control"']
        for number in range(workers):
            name, path = f"w{number}", _socket_of(place, number)
            sections += [
                f'[listeners.{name}]\npath = "{path}"',
                f'[workers.{name}]\ncommand = ["{place.tools.worker}"]\nlisteners = ["{name}"]',
                f'[workers.{name}.restart]\ndelay = "0s"',
            ]
        config = place.write("perch.toml", "\n".join(sections))
        return [str(place.tools.perch), "run", "-c", config]

    return Contender(f"perch with {workers}", "", "", command)


def measure(lab):
    plan = lab.plan
    say(f"one perch with {plan.workers} workers, {plan.scale_kills} kills")
    with lab.running([crowd(1), crowd(plan.workers)], Policy.FASTEST) as (single, many):
        for instance in (single, many):
            instance.settle(plan.settled)
        recoveries = _recoveries(single, many, plan)
        answers = [_status(many.place.directory / "control") for _ in range(plan.scale_kills)]
        return Scale(
            workers=plan.workers,
            single=processes.memory(single.supervisors()),
            many=processes.memory(many.supervisors()),
            single_recoveries=recoveries[single],
            many_recoveries=recoveries[many],
            status_seconds=[seconds for seconds, _ in answers],
            status_bytes=answers[-1][1],
        )


def _recoveries(single, many, plan):
    """Another of the many is killed each time."""
    found = {single: [], many: []}
    for number, instance in enumerate(in_turns([single, many], plan.scale_kills)):
        path = instance.place.socket
        if instance is many:
            path = _socket_of(many.place, number // 2 % plan.workers)
        found[instance] += instance.kill(path=path)
    return found


def _socket_of(place, number):
    return place.socket if number == 0 else place.directory / f"socket{number}"


def _status(control):
    """Seconds for one GET /v1/status, and the size of the answer."""
    start = time.perf_counter()
    size = 0
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(control))
        connection.sendall(b"GET /v1/status HTTP/1.1\r\nHost: perch\r\nConnection: close\r\n\r\n")
        while part := connection.recv(1 << 20):
            size += len(part)
    return time.perf_counter() - start, size
