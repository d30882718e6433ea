#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tidy.py BUILD FILE...: clang-tidy over sources of a build, on all processors.

What was clean once is not looked at again while the compiler sees the same text, comments of every
header included, and the checks and the program are the same: a file takes seconds, its text a
tenth of them. What is known to be clean is kept beside the compiler's cache, an empty
file a text."""
import hashlib
import json
import multiprocessing.pool
import os
import pathlib
import shlex
import subprocess
import sys

TIDY = "clang-tidy-19"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "perch-tidy"
WITH_A_PATH = {"-MQ", "-MF", "-o"}


def commands(build):
    """{source: the compiler's words}"""
    entries = json.loads((build / "compile_commands.json").read_text())
    return {(build / entry["file"]).resolve(): shlex.split(entry["command"]) for entry in entries}


def preprocessing(words):
    """The same command, that ends with the text."""
    kept = [word for before, word in zip(["", *words], words)
            if before not in WITH_A_PATH and word not in {"ccache", "-c", "-MD", *WITH_A_PATH}]
    return [*kept, "-E", "-C"]  # with comments: they may tell clang-tidy to be silent


def fingerprint(command, build, checks):
    text = subprocess.run(command, cwd=build, capture_output=True, check=True).stdout
    digest = hashlib.sha256(checks)
    for part in [*map(str.encode, command), text]:
        digest.update(part.replace(str(build.parents[1]).encode(), b""))  # wherever the tree is
    return digest.hexdigest()


class Tidy:
    def __init__(self, build):
        self.build = build
        self.commands = commands(build)
        version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
        self.checks = version + pathlib.Path(".clang-tidy").read_bytes()

    def look_at(self, name):
        """What clang-tidy says of a file; None where it is known to be clean."""
        source = pathlib.Path(name).resolve()
        command = preprocessing(self.commands[source])
        clean = CACHE / fingerprint(command, self.build, self.checks)
        if clean.exists():
            clean.touch()
            return None
        done = subprocess.run([TIDY, "--quiet", "-p", self.build, name], capture_output=True,
                              text=True, check=False)
        if done.returncode == 0:
            clean.touch()
            return ""
        return done.stdout or done.stderr


def main():
    tidy = Tidy(pathlib.Path(sys.argv[1]).resolve())
    CACHE.mkdir(parents=True, exist_ok=True)
    with multiprocessing.pool.ThreadPool(len(os.sched_getaffinity(0))) as pool:
        said = pool.map(tidy.look_at, sys.argv[2:], chunksize=1)
    looked_at = [words for words in said if words is not None]
    found = [words for words in looked_at if words]
    print(f"{len(said)} files, of which {len(looked_at)} have changed since they were clean")
    print(*found, sep="\n", end="")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
