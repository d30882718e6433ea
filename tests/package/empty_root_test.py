#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The static perch in a root directory with nothing else in it, as `FROM scratch` makes them."""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.append(f"{os.environ['PERCH_SOURCES']}/tests/texts")
import perch_says  # noqa: E402

STATIC = f"{perch_says.SOURCES}/build/static/supervisor/perch"
PONG = f"{perch_says.SOURCES}/tests/daemons/servers/pong.c"
# What every container has, whatever its image: here in a mount namespace of one command.
AS_CONTAINER = ('mkdir -p "$0/proc" "$0/dev" && : > "$0/dev/null" && '
                'mount -t proc proc "$0/proc" && mount --bind /dev/null "$0/dev/null" && '
                'exec chroot "$@"')


class EmptyRoot(unittest.TestCase):
    def setUp(self):
        perch_says.need(os.geteuid() == 0, "needs root: a chroot")
        perch_says.need(os.path.exists(STATIC), "needs build/static, a build with -Dstatic=true")
        self.root = tempfile.mkdtemp(prefix="pe-", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.root)
        os.chmod(self.root, 0o755)
        subprocess.run(["strip", "-o", f"{self.root}/perch", STATIC], check=True)

    def do(self, *command):
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60,
                              env={})
        self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
        return done

    def in_container(self, *command):
        return ["/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child", "/bin/sh", "-c",
                AS_CONTAINER, self.root, *command]

    def test_it_needs_nothing_to_check_a_configuration(self):
        self.assertEqual(os.listdir(self.root), ["perch"])
        self.assertRegex(self.do("/usr/sbin/chroot", self.root, "/perch", "version").stdout,
                         r"^perch \d")
        said = self.do("/usr/sbin/chroot", self.root, "/perch", "check", "--listen", "/app.sock",
                       "--", "/app").stdout
        self.assertIn('path = "/app.sock"', said)
        self.assertEqual(os.listdir(self.root), ["perch"])

    def test_it_runs_a_worker(self):
        said = self.do(*self.in_container(self.root, "/perch", "run", "--control", "none",
                                          "--policy", "never", "--", "/perch", "version"))
        self.assertRegex(said.stdout, r"^perch \d")

    def test_a_static_daemon_is_killed_and_the_next_one_answers_on_the_same_socket(self):
        perch_says.need(shutil.which("musl-gcc"), "needs musl-gcc")
        subprocess.run(["musl-gcc", "-static", "-o", f"{self.root}/pong", PONG], check=True)
        path = f"{self.root}/pong.sock"
        command = self.in_container(self.root, "/perch", "run", "--intercept", "--control",
                                    "/control.sock", "--listen", "/pong.sock", "--", "/pong",
                                    "/pong.sock")
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, env={}) as running:
            self.addCleanup(running.kill)
            self.wait_for(path)
            inode = os.stat(path).st_ino
            self.do("/usr/sbin/chroot", self.root, "/perch", "restart", "--control",
                    "/control.sock")
            self.assertEqual(self.ask(path), "pong\n")
            self.assertEqual(os.stat(path).st_ino, inode)
            running.kill()

    def test_a_user_without_rights_installs_it_into_a_volume(self):
        os.mkdir(f"{self.root}/volume")
        os.chown(f"{self.root}/volume", 65534, 65534)
        done = self.do(*self.in_container("--userspec=65534:65534", self.root, "/perch",
                                          "install", "/volume"))
        self.assertEqual(done.stderr, "")
        with open(f"{self.root}/perch", "rb") as one, open(f"{self.root}/volume/perch", "rb") as two:
            self.assertEqual(one.read(), two.read())
        self.do("/usr/sbin/chroot", "--userspec=65534:65534", self.root, "/volume/perch",
                "version")

    def test_its_size_is_what_readme_says(self):
        with open(f"{perch_says.SOURCES}/README.md", encoding="utf-8") as readme:
            told = re.search(r"one static file of ([\d.]+) MB", " ".join(readme.read().split()))
        size = os.path.getsize(f"{self.root}/perch") / 1e6
        self.assertAlmostEqual(float(told.group(1)), size, delta=0.1 * size)

    @staticmethod
    def ask(path):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(path)
            client.sendall(b"ping\n")
            return client.recv(100).decode()

    def wait_for(self, path):
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.ask(path)
            except OSError:
                self.assertLess(time.monotonic(), deadline, "nobody answers")
                time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
