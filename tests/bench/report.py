# SPDX-License-Identifier: Apache-2.0
"""Figures as a Markdown table and as raw JSON."""

import dataclasses
import json
import math
import os
import platform
import time

from instance import DOWN_MS


def percentile(values, percent):
    """By nearest rank: p99 of fewer than 100 values is the greatest."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def seconds(recoveries):
    return [recovery.seconds for recovery in recoveries]


def markdown(results):
    """`results` has what the run measured; a part that was left out is absent."""
    parts = [f"Made by `{results['command']}` on {results['machine']}."]
    if "fastest" in results:
        parts += [_fastest(results), _costs(results), _default(results), _notes(results)]
    if "scale" in results:
        parts.append(_scale(results["scale"]))
    return "\n\n".join(parts) + "\n"


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    return f"{os.cpu_count()} CPUs ({model}), Linux {platform.release()}, {time.strftime('%F')}"


def raw(results):
    return json.dumps(results, default=_plain) + "\n"


def _plain(value):
    """Contenders have a function in them, which says nothing to a reader."""
    if not dataclasses.is_dataclass(value):
        return str(value)
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {name: field for name, field in fields.items() if not callable(field)}


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _time(value):
    if value >= 0.1:
        return f"{value:.2f} s"
    return f"{value * 1e3:.2f} ms"


def _times(values, floor):
    """p50, p99 and their ratios to the floor's."""
    if not values:
        return ["–", "–", "–"]
    middle, worst = percentile(values, 50), percentile(values, 99)
    if not floor:
        return [_time(middle), _time(worst), "–"]
    ratios = middle / percentile(floor, 50), worst / percentile(floor, 99)
    return [_time(middle), _time(worst), " / ".join(_ratio(ratio) for ratio in ratios)]


def _ratio(ratio):
    return f"{ratio:.1f}" if ratio < 100 else f"{ratio:.0f}"


def _recovery_columns(series, name):
    floor = series.get("floor")
    return [
        cell
        for kind in ("settled", "burst")
        for cell in _times(
            seconds(getattr(series[name], kind)), floor and seconds(getattr(floor, kind))
        )
    ]


_RECOVERY_HEAD = [
    *("settled p50", "p99", "× floor"),
    *("in a burst p50", "p99", "× floor"),
]


def _fastest(results):
    series = results["fastest"]
    rows = [
        [name, *_recovery_columns(series, name), *_storm(one.storm)] for name, one in series.items()
    ]
    head = ["restart as fast as can be", *_RECOVERY_HEAD, "failed connects a kill", "broken off"]
    return table(head, rows)


def _storm(recoveries):
    if not recoveries:
        return ["–", "–"]
    failed = [recovery.failed_connects for recovery in recoveries]
    broken = [recovery.broken_connections for recovery in recoveries]
    return [_count(sum(counts) / len(counts)) for counts in (failed, broken)]


def _count(mean):
    return f"{mean:,.0f}" if mean >= 100 else f"{mean:.1f}"


def _costs(results):
    rows = []
    for name, cost in results["costs"].items():
        calls = results["system_calls"][name]
        rows.append(
            [
                name,
                str(cost.processes),
                f"{cost.memory.resident / 1024:.2f} MB",
                f"{cost.memory.anonymous / 1024:.2f} MB",
                str(cost.wake_ups),
                f"{calls.supervisor:g} + {calls.starting:g}",
            ]
        )
    idle = f"wake-ups in {results['plan'].idle:.0f} s"
    head = ["at rest", "processes", "resident", "anonymous", idle, "system calls a death"]
    return table(head, rows)


def _default(results):
    series = results["default"]
    rows = [[name, *_recovery_columns(series, name), _down(series[name])] for name in series]
    return table(["default policy", *_RECOVERY_HEAD, "stays down for good"], rows)


def _down(series):
    if not series.down_after:
        return "no"
    kills = " or ".join(str(count) for count in sorted(set(series.down_after)))
    return f"after {kills} kills, {len(series.down_after)} of {series.bursts} times"


def _notes(results):
    plan = results["plan"]
    notes = [
        f"{plan.kills} kills a figure, contenders in turns; p99 of fewer than 100 kills is the"
        " slowest. A recovery is the time from kill() to the first reply of another worker.",
        f"Settled: up for {plan.settled:g} s, or {plan.forgotten:g} s under default policies, which"
        " remember deaths for up to 30 s. In a burst: killed again 20 ms after recovery, once, or"
        f" {plan.burst} times in a row under default policies.",
        f"Failed connects: {plan.clients} clients connect without pause while a settled worker is"
        " killed; broken off: connections of theirs that were accepted and got no reply.",
        "Memory is added up over processes. System calls between the worker's death and the next"
        " exec, writes to stdout and stderr aside: of the supervisor's processes + of new ones,"
        " until one is the worker.",
        f"Stays down for good: nobody answered for {DOWN_MS / 1000:.0f} s.",
    ]
    setups = [f"{it.name}: {it.setup}{_version(it)}" for it in results["contenders"]]
    return "\n".join(f"- {line}" for line in notes + setups)


def _version(contender):
    return f" (Debian's {contender.package} {contender.version()})" if contender.package else ""


def _scale(scale):
    single, many = seconds(scale.single_recoveries), seconds(scale.many_recoveries)
    rows = [
        [label, _time(percentile(single, percent)), _time(percentile(many, percent))]
        for label, percent in (("recovery p50", 50), ("recovery p99", 99))
    ]
    rows += [
        [kind, _megabytes(getattr(scale.single, kind)), _megabytes(getattr(scale.many, kind))]
        for kind in ("resident", "anonymous")
    ]
    figures = table(["perch", "1 worker", f"{scale.workers} workers"], rows)
    middle, worst = (_time(percentile(scale.status_seconds, percent)) for percent in (50, 99))
    return (
        f"{figures}\n\nOne more worker with a listener of its own costs"
        f" {scale.per_worker('resident'):.1f} KiB resident,"
        f" {scale.per_worker('anonymous'):.1f} KiB anonymous. `GET /v1/status` of all"
        f" {scale.workers} takes {middle} (p99 {worst}, {scale.status_bytes / 1024:.0f} KiB)."
    )


def _megabytes(kib):
    return f"{kib / 1024:.2f} MB"
