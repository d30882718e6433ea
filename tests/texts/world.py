# SPDX-License-Identifier: Apache-2.0
"""A machine of its own for README's commands: a shell in namespaces where pids, /run and the
directory that README uses are fresh, and the built tree is where README builds it."""
import contextlib
import os
import subprocess
import tempfile

import perch_says

SETUP = """
mount -t tmpfs none /run && mount -t tmpfs none /tmp/hello && mkdir /run/app || exit 1
unset PERCH_CONTROL PERCH_CONFIG
"""


class World:
    """One shell, in which commands run one after another."""

    def __init__(self):
        perch_says.need(os.geteuid() == 0, "needs root: mounts")
        self.place = tempfile.TemporaryDirectory()
        os.makedirs("/tmp/hello", exist_ok=True)
        os.mkdir(f"{self.place.name}/build")
        os.symlink(os.path.dirname(os.path.dirname(perch_says.PERCH)),
                   f"{self.place.name}/build/release")
        self.shell = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash"],
            cwd=self.place.name, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        self.do(SETUP)
        self.do(f'PATH="{self.place.name}/build/release/supervisor:$PATH"')

    def close(self):
        self.shell.kill()
        self.shell.communicate()
        self.place.cleanup()
        with contextlib.suppress(OSError):  # somebody's own stays
            os.rmdir("/tmp/hello")

    def do(self, command):
        """(exit code, output)"""
        self.shell.stdin.write(f'{command}\ncode=$?; echo; echo "@done@ $code"\n')
        self.shell.stdin.flush()
        said = []
        for line in self.shell.stdout:
            if line.startswith("@done@"):
                return int(line.split()[1]), "".join(said).rstrip("\n")
            said.append(line)
        raise AssertionError(f"the shell has ended: {command}")

    def wait_until(self, command):
        code, _ = self.do(f"timeout 60 sh -c 'until {command}; do sleep 0.01; done' &> /dev/null")
        assert code == 0, f"waited in vain for: {command}"
