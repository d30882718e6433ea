# SPDX-License-Identifier: Apache-2.0
"""A contender that runs: its directory, its processes, and the client that kills its worker."""

import pathlib
import shutil
import subprocess
import tempfile
import time
from typing import NamedTuple

import processes
from contenders import Place

# Nobody's policy waits longer than that between two starts: perch up to 6 s, supervisord 3 s.
DOWN_MS = 15000
BURST_PAUSE_MS = 20


class Recovery(NamedTuple):
    seconds: float
    failed_connects: int
    broken_connections: int = 0


class Instance:
    """Owns the contender's process tree until stop()."""

    def __init__(self, contender, tools, policy, base, tracer=()):
        self.contender = contender
        self._tools = tools
        self._policy = policy
        self._base = base
        self._tracer = list(tracer)
        self.start()

    def start(self):
        directory = pathlib.Path(tempfile.mkdtemp(dir=self._base))
        self.place = Place(directory, self._tools, self._policy)
        command = self._tracer + self.contender.command(self.place)
        with open(directory / "output", "wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=directory,
                env={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
            )
        if self._client("ask") == ["down"]:
            text = (directory / "output").read_text(errors="replace")
            raise RuntimeError(f"{self.contender.name} does not serve: {text}")
        self.up_since = time.monotonic()

    def stop(self):
        processes.kill_tree(self._process.pid)
        self._process.wait()
        shutil.rmtree(self.place.directory, ignore_errors=True)

    def settle(self, age):
        """Waits until the worker has been up for so many seconds."""
        time.sleep(max(0.0, self.up_since + age - time.monotonic()))

    def kill(self, times=1, path=None):
        """Recoveries, fewer than asked for where the worker stays down: then it is started anew."""
        return self._recoveries(self._client("kill", times, BURST_PAUSE_MS, path=path))

    def kill_in_storm(self, clients):
        return self._recoveries(self._client("storm", clients))

    def supervisors(self):
        """All processes but the worker's."""
        worker = str(self.place.tools.worker)
        return [
            pid for pid in processes.tree(self._process.pid) if processes.executable(pid) != worker
        ]

    def _client(self, verb, *arguments, path=None):
        command = [self.place.tools.client, verb, path or self.place.socket, str(DOWN_MS)]
        command += [str(argument) for argument in arguments]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return run.stdout.splitlines()

    def _recoveries(self, lines):
        self.up_since = time.monotonic()
        numbers = [[int(word) for word in line.split()] for line in lines if line != "down"]
        if lines[-1] == "down":
            self.stop()
            self.start()
        return [Recovery(first / 1e6, *others) for first, *others in numbers]
