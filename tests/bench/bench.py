# SPDX-License-Identifier: Apache-2.0
"""Measures perch beside its peers; tests/bench/recovery starts it."""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile

import measure
import processes
import report
import scale
from contenders import CONTENDERS, FLOOR, Tools

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
QUICK = measure.Plan(
    kills=3, settled=1.5, forgotten=3, burst=5, idle=5, traced_kills=3, scale_kills=20
)


def options():
    parser = argparse.ArgumentParser(
        prog="tests/bench/recovery",
        description="Measures perch beside its peers: recovery, failed connects, memory, wake-ups"
        " and system calls. Installs what it needs; takes about a quarter of an hour, as root.",
    )
    add = parser.add_argument
    add("--perch", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    add("--kills", type=int_above_zero, metavar="N", help="for each figure (30; 3 with --quick)")
    add("--only", type=contenders, metavar="A,B", help="these contenders beside the floor")
    add("--quick", action="store_true", help="shows that all works; the figures mean nothing")
    add("--scale-only", action="store_true", help="only one perch with many workers")
    add(
        "--out",
        type=pathlib.Path,
        metavar="DIR",
        help="where the results go: tests/bench/results after a whole run, else build/bench",
    )
    return parser.parse_args()


def int_above_zero(text):
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return int(text)


def contenders(names):
    wanted = names.split(",")
    known = [contender.name for contender in CONTENDERS]
    for name in set(wanted) - set(known):
        raise argparse.ArgumentTypeError(f"no '{name}': there are {', '.join(known)}")
    return [it for it in CONTENDERS if it is FLOOR or it.name in wanted]


def plan_of(chosen):
    plan = QUICK if chosen.quick else measure.Plan()
    return dataclasses.replace(plan, kills=chosen.kills) if chosen.kills else plan


def directory_of(chosen):
    part_of_it = chosen.quick or chosen.only or chosen.scale_only
    return chosen.out or (ROOT / "build/bench" if part_of_it else HERE / "results")


def build_tools(perch, directory):
    """The worker and its like are static, so that their start costs next to nothing."""
    for name in ("worker", "floor", "client"):
        compiler = ["musl-gcc", "-static", "-s", "-O2", "-Wall", "-Wextra", "-Werror"]
        subprocess.run([*compiler, "-o", directory / name, HERE / f"{name}.c"], check=True)
    subprocess.run(["strip", "-o", directory / "perch", perch], check=True)
    return Tools(**{name: directory / name for name in ("perch", "worker", "floor", "client")})


def run(lab, competing, scale_only):
    results = {
        "command": shlex.join(["tests/bench/recovery", *sys.argv[3:]]),  # after --perch PATH
        "machine": report.machine(),
        "plan": lab.plan,
        "contenders": competing,
    }
    if not scale_only:
        results["fastest"], results["costs"] = measure.fastest(lab, competing)
        results["default"] = measure.default(lab, competing)
        results["system_calls"] = measure.system_calls(lab, competing)
    results["scale"] = scale.measure(lab)
    return results


def publish(results, directory):
    directory.mkdir(parents=True, exist_ok=True)
    text = report.markdown(results)
    (directory / "recovery.md").write_text(text)
    (directory / "recovery.json").write_text(report.raw(results))
    if "fastest" in results:
        import picture  # here, so that --help works before matplotlib is installed

        picture.draw(results, directory / "recovery.svg")
    print(text)
    measure.say(f"results are in {directory}")


@contextlib.contextmanager
def nothing_left_behind():
    """Whatever was started from here is ended, also when a signal ends this."""
    processes.adopt_orphans()
    for number in ENDING_SIGNALS:
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        for number in ENDING_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        processes.kill_all_children()


def main():
    chosen = options()
    if os.geteuid() != 0:
        sys.exit("tests/bench/recovery: the contenders are run as root: try sudo")
    with tempfile.TemporaryDirectory(prefix="bench.") as base, nothing_left_behind():
        base = pathlib.Path(base)
        lab = measure.Lab(build_tools(chosen.perch, base), plan_of(chosen), base)
        results = run(lab, chosen.only or CONTENDERS, chosen.scale_only)
    publish(results, directory_of(chosen))


if __name__ == "__main__":
    main()
