#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian packages of build/deb in a fresh, least Debian: they install, run and go."""
import glob
import os
import shutil
import socket
import subprocess
import sys
import time
import unittest

sys.path.append(f"{os.environ['PERCH_SOURCES']}/tests/texts")
import chroot  # noqa: E402
import perch_says  # noqa: E402

BUILD = f"{perch_says.SOURCES}/build"
PACKAGES = ["perch", "perch-peer", "libperch-worker-dev"]
# As socket activation has it; in the least Debian there is a perl.
WORKER = """
open(my $listener, "+<&=", 3) or die;
while (accept(my $client, $listener)) {
  kill 9, $$ if <$client> eq "die\\n";
  syswrite($client, $ENV{PERCH_GENERATION});
}
"""


def debs():
    return [path for name in PACKAGES for path in glob.glob(f"{BUILD}/deb/{name}_*.deb")]


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.02)


def ask(path, word):
    """What the server says to it; nothing while there is no socket, or when it died."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(path)
            client.sendall(word.encode() + b"\n")
            return client.recv(100).decode()
    except OSError:
        return ""


class Deb(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        perch_says.need(os.geteuid() == 0, "needs root: a chroot")
        perch_says.need(shutil.which("debootstrap"), "needs debootstrap")
        perch_says.need(len(debs()) == len(PACKAGES), "needs build/deb, by packaging/build-deb")
        try:
            cls.debian = chroot.Chroot(f"{BUILD}/package/{chroot.CODENAME}.tar")
            cls.addClassCleanup(cls.debian.close)
            needed = cls.debian.dependencies(debs(), f"{BUILD}/package/archives")
        except chroot.Unavailable as reason:
            perch_says.need(False, str(reason))
        installed = cls.debian.install(needed)
        assert installed.returncode == 0, installed.stdout + installed.stderr
        cls.before = cls.debian.files()

    def setUp(self):
        self.do("dpkg", "--purge", *PACKAGES)
        installed = self.debian.install(debs())
        self.assertEqual(installed.returncode, 0, installed.stdout + installed.stderr)

    def do(self, *command):
        done = self.debian.run(*command)
        self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
        return done.stdout

    def test_they_are_whole_and_agree_with_the_program(self):
        self.assertEqual(self.do("dpkg", "--verify", *PACKAGES), "")
        version = self.do("dpkg-query", "--show", "--showformat=${Version}", "perch")
        self.assertEqual(self.do("perch", "version"), f"perch {version}\n")
        self.assertIn("perch-peer serve", self.do("perch-peer", "serve", "--help"))
        for program in "perch", "perch-peer":
            self.do("bash", "-c",
                    f". /usr/share/bash-completion/completions/{program} && complete -p {program}")
        unit = self.do("cat", "/usr/lib/systemd/system/perch@.service")
        self.assertIn("\nExecStart=/usr/bin/perch run -c /etc/perch/%i.toml\n", unit)
        for page in "man1/perch.1", "man1/perch-peer.1", "man5/perch.toml.5":
            self.do("test", "-s", f"/usr/share/man/{page}.gz")
        for file in "common.proto", "dfdaemon.proto":
            self.do("test", "-s", f"/usr/share/perch-peer/proto/{file}")

    def test_the_programs_are_hardened(self):
        for program in "perch", "perch-peer":
            said = subprocess.run(
                ["readelf", "--wide", "--file-header", "--program-headers", "--dynamic", "--dyn-syms",
                 f"{self.debian.path}/usr/bin/{program}"],
                capture_output=True, text=True, timeout=60, check=True).stdout
            for sign in ("Position-Independent Executable", "GNU_RELRO", "BIND_NOW",
                         " __stack_chk_fail@", "_chk@GLIBC"):
                self.assertIn(sign, said, program)

    def test_every_example_is_a_valid_configuration(self):
        examples = self.do("sh", "-c", "ls /usr/share/doc/perch/examples/*.toml").split()
        self.assertGreater(len(examples), 3)
        for example in examples:
            self.do("perch", "check", "-c", example)

    def test_a_worker_is_killed_and_the_next_one_answers_on_the_same_socket(self):
        command = self.debian.command("perch", "run", "--control", "/srv/control.sock", "--listen",
                                      "app=/srv/app.sock", "--", "perl", "-e", WORKER)
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
            self.addCleanup(running.kill)
            path = f"{self.debian.path}/srv/app.sock"
            wait_until(lambda: ask(path, "ping") == "perl/1")
            inode = os.stat(path).st_ino
            self.assertEqual(ask(path, "die"), "")
            self.assertEqual(ask(path, "ping"), "perl/2")
            self.assertEqual(os.stat(path).st_ino, inode)
            running.kill()

    def test_the_peer_is_ready_under_perch(self):
        command = self.debian.command("perch", "run", "--control", "/srv/control.sock", "--listen",
                                      "/srv/peer.sock", "--handover", "channel", "--",
                                      "perch-peer", "serve", "--store", "/srv/store")
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
            self.addCleanup(running.kill)
            wait_until(lambda: self.debian.run("perch", "ready", "--control",
                                               "/srv/control.sock").returncode == 0)
            running.kill()

    def test_purged_they_leave_nothing_behind(self):
        listed = self.do("dpkg", "--listfiles", "perch").split()
        conffiles = self.do("dpkg-query", "--show", "--showformat=${Conffiles}", *PACKAGES)
        self.assertIn("/usr/bin/perch", listed)
        self.do("dpkg", "--purge", *PACKAGES)
        self.assertEqual(conffiles.strip(), "")
        self.assertFalse(os.path.exists(f"{self.debian.path}/usr/bin/perch"))
        self.assertEqual({path for path in self.debian.files() if not path.startswith("/srv/")},
                         {path for path in self.before if not path.startswith("/srv/")})


if __name__ == "__main__":
    unittest.main()
