#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""systemd understands every line of the unit, and its exit codes are those of the binary."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import perch_says

UNIT = f"{perch_says.SOURCES}/packaging/systemd/perch@.service.in"


class Unit(unittest.TestCase):
    def setUp(self):
        perch_says.need(shutil.which("systemd-analyze"), "needs systemd-analyze")
        with open(UNIT, encoding="utf-8") as source:
            self.text = source.read().replace("@bindir@", os.path.dirname(perch_says.PERCH))

    def verify(self, text):
        """What systemd-analyze has to say; it ends with 0 where a line was merely ignored."""
        with tempfile.TemporaryDirectory() as place:
            unit = f"{place}/perch@.service"
            with open(unit, "w", encoding="utf-8") as file:
                file.write(text)
            said = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], timeout=60,
                                  capture_output=True, text=True, check=False)
            return said.stdout + said.stderr + ("failed" if said.returncode else "")

    def test_systemd_finds_nothing(self):
        self.assertEqual(self.verify(self.text), "")

    def test_it_would_find_something(self):
        self.assertIn("Unknown key", self.verify(self.text + "[Service]\nOmmPolicy=continue\n"))
        self.assertIn("not executable", self.verify(self.text.replace("/perch run", "/prech run")))

    def test_the_exit_codes_after_which_nothing_is_started_are_perchs(self):
        codes = re.search(r"^RestartPreventExitStatus=(.*)$", self.text, re.MULTILINE).group(1)
        meanings = [perch_says.exit_codes()[int(code)] for code in codes.split()]
        for word in "configuration", "path", "executed", "not found":
            self.assertIn(word, " ".join(meanings))


if __name__ == "__main__":
    unittest.main()
