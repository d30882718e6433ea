# SPDX-License-Identifier: Apache-2.0
"""What is measured of the contenders, in turns, so that the machine's noise hits all alike."""

import contextlib
import sys
import time
from dataclasses import dataclass, field

import processes
import syscalls
from contenders import Policy
from instance import Instance


@dataclass(frozen=True)
class Plan:
    """How much is measured; the times in seconds."""

    kills: int = 30
    settled: float = 3  # a worker up for so long is settled
    forgotten: float = 35  # and after so long every default policy has forgotten earlier deaths
    burst: int = 10  # kills in a row under default policies
    idle: float = 60
    clients: int = 4
    traced_kills: int = 5
    workers: int = 200
    scale_kills: int = 200


@dataclass
class Series:
    """Recoveries of one contender under one policy."""

    settled: list = field(default_factory=list)
    burst: list = field(default_factory=list)
    storm: list = field(default_factory=list)
    bursts: int = 0
    down_after: list = field(default_factory=list)  # kills in a row, after which it stayed down


@dataclass
class Cost:
    processes: int
    memory: processes.Memory
    wake_ups: int


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


class Lab:
    """Starts instances in a directory of its own and ends them."""

    def __init__(self, tools, plan, base):
        self.tools = tools
        self.plan = plan
        self.base = base

    @contextlib.contextmanager
    def running(self, contenders, policy, tracer=lambda contender: ()):
        instances = []
        try:
            for contender in contenders:
                instances.append(
                    Instance(contender, self.tools, policy, self.base, tracer(contender))
                )
            yield instances
        finally:
            for instance in instances:
                instance.stop()


def in_turns(things, rounds):
    """Each thing once a round, each round begun by another."""
    for number in range(rounds):
        start = number % len(things)
        yield from things[start:] + things[:start]


def fastest(lab, contenders):
    """Each contender with the shortest delay it knows: recoveries, and then its cost at rest."""
    plan = lab.plan
    series = {contender.name: Series() for contender in contenders}
    with lab.running(contenders, Policy.FASTEST) as instances:
        say(f"{plan.kills} kills when settled, each followed by one in a burst")
        for instance in in_turns(instances, plan.kills):
            instance.settle(plan.settled)
            _book_burst(series[instance.contender.name], instance.kill(2), 2)
        say(f"{plan.kills} kills with {plan.clients} clients connecting")
        for instance in in_turns(instances, plan.kills):
            instance.settle(plan.settled)
            series[instance.contender.name].storm += instance.kill_in_storm(plan.clients)
        return series, _costs(instances, plan)


def _book_burst(series, recoveries, kills):
    series.settled += recoveries[:1]
    series.burst += recoveries[1:]
    series.bursts += kills > 1
    if len(recoveries) < kills:
        series.down_after.append(len(recoveries) + 1)


def _costs(instances, plan):
    say(f"wake-ups in {plan.idle:.0f} idle seconds")
    for instance in instances:
        instance.settle(plan.settled)
    pids = {instance.contender.name: instance.supervisors() for instance in instances}
    before = {name: processes.context_switches(pids[name]) for name in pids}
    time.sleep(plan.idle)
    return {
        name: Cost(
            processes=len(pids[name]),
            memory=processes.memory(pids[name]),
            wake_ups=processes.context_switches(pids[name]) - before[name],
        )
        for name in pids
    }


def default(lab, contenders):
    """Each contender as it is out of the box. A default policy remembers deaths for up to 30 s, so
    that kills come from several instances that age together; one of them is then killed in a row.
    """
    plan = lab.plan
    pool = min(10, plan.kills)
    rounds = -(-plan.kills // pool)
    series = {contender.name: Series() for contender in contenders}
    with lab.running(contenders * pool, Policy.DEFAULT) as instances:
        for number in range(rounds):
            say(f"default policies, round {number + 1} of {rounds}")
            in_row = instances[number % pool * len(contenders) :][: len(contenders)]
            for instance in instances:
                instance.settle(plan.forgotten)
                kills = 1 + plan.burst if instance in in_row else 1
                _book_burst(series[instance.contender.name], instance.kill(kills), kills)
    return series


def system_calls(lab, contenders):
    """Of the supervisor between the worker's death and the next one's exec."""
    say("system calls between death and exec")
    traces = {contender.name: lab.base / f"trace.{contender.name}" for contender in contenders}

    def tracer(contender):
        return ["strace", "-f", "-qq", "-o", str(traces[contender.name])]

    with lab.running(contenders, Policy.FASTEST, tracer) as instances:
        for instance in in_turns(instances, lab.plan.traced_kills):
            instance.settle(lab.plan.settled)
            instance.kill()
    return {name: syscalls.count(trace, lab.tools.worker) for name, trace in traces.items()}
