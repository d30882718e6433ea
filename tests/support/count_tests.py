#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Counts test cases over meson's JSON logs and prints "12 passed, 0 failed, 1 skipped".

Before that it tells again how each test ended that failed: the end of a long log is what is kept.

usage: count_tests.py CHECKS-PASSED CHECKS-FAILED LOG...

A doctest executable counts as its test cases, a Python unittest as its tests, anything else as one.
One that crashed, timed out or failed without saying which case counts as a failed test, and so does
a missing log. A line "[skip] reason" makes a passed test case a skipped one; one that ended with 77
is skipped as a whole. Exits with 1 when something failed.
"""
import json
import re
import sys

LINES_OF_A_FAILURE = 40

SUMMARY = re.compile(r"\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed")

UNITTEST = re.compile(r"^Ran (\d+) tests? in .*\n\n(?:OK|FAILED)(.*)$", re.MULTILINE)


def count_unittest(summary, ok):
    of = {kind: int(number) for kind, number in re.findall(r"(\w+)=(\d+)", summary.group(2))}
    failed = of.get("failures", 0) + of.get("errors", 0)
    skipped = of.get("skipped", 0)
    # What ends in setUpClass is skipped or failed without having run.
    passed = max(int(summary.group(1)) - failed - skipped, 0)
    return passed, failed if ok else max(failed, 1), skipped


def count_executable(test):
    if test["result"] == "SKIP":
        return 0, 0, 1
    output = test.get("stdout", "")
    ok = test["result"] == "OK"
    if python := UNITTEST.search(test.get("stderr", "")):
        return count_unittest(python, ok)
    summary = SUMMARY.search(output)
    if not summary:
        return int(ok), int(not ok), 0
    passed, failed = map(int, summary.groups())
    skipped = min(passed, len(re.findall(r"^\[skip\] ", output, re.MULTILINE)))
    return passed - skipped, failed if ok else max(failed, 1), skipped


def tell_failure(test):
    said = (test.get("stdout", "") + test.get("stderr", "")).splitlines()
    print(f"FAILED: {test['name']}: {test['result']}", *said[-LINES_OF_A_FAILURE:], "", sep="\n")


def count_log(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            tests = [json.loads(line) for line in lines]
    except FileNotFoundError:
        print(f"FAILED: no log {path}: its tests did not run")
        return 0, 1, 0
    counts = [count_executable(test) for test in tests]
    for test, (_, failed, _) in zip(tests, counts):
        if failed:
            tell_failure(test)
    return tuple(map(sum, zip(*counts))) if counts else (0, 1, 0)


def main(checks_passed, checks_failed, *logs):
    counts = [(int(checks_passed), int(checks_failed), 0), *map(count_log, logs)]
    passed, failed, skipped = map(sum, zip(*counts))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
