#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""README's tables of keys, hand-overs and reloads are those of the binary."""
import os
import re
import subprocess
import tempfile
import tomllib
import unittest

import perch_says
import readme

README = readme.read(f"{perch_says.SOURCES}/README.md")


class Configuration(unittest.TestCase):
    SECTIONS = {re.sub(r"\.(api|app)", ".X", name): name for name in perch_says.TABLES}

    def rows(self):
        """[(table, key, cell of the default)]: "workers.X.user", "group" are two of one table."""
        found = []
        for names, default, _ in README.tables["key"].rows:
            section = None
            for name in readme.words(names):
                above, _, key = name.rpartition(".")
                section = above or section
                found.append((self.SECTIONS.get(section, section), key, default))
        return found

    def test_every_key_has_a_row_and_no_other(self):
        listed = {(section, key) for section, key, _ in self.rows()}
        tables = {("workers.app", name) for name in ("rlimits", "environment")}
        known = {(section, key) for section in perch_says.TABLES if "rlimits" not in section
                 for key in perch_says.keys_of(section)} - {
                     ("workers.app", name) for name in ("memory", "readiness", "restart")}
        self.assertEqual(listed | tables, known)

    def test_every_default_is_the_binarys(self):
        defaults = perch_says.defaults()
        for section, key, cell in self.rows():
            value = defaults
            for step in section.split("."):
                value = value[step]
            told = readme.words(cell)
            if not told or key not in value:  # "perch's own", or required; or "none"
                self.assertIn(value.get(key, ""), ("", [], {}, *self.given(section, key)), key)
            else:
                self.assertIn(self.as_told(value[key]), (*told, " ".join(told)), key)

    @staticmethod
    def given(section, key):
        return [tomllib.loads(perch_says.MINIMAL.get(section, "")).get(key, "")]

    @staticmethod
    def as_told(value):
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, list):
            return " ".join(value) or "[]"
        return str(value) or '""'

    def test_the_default_control_sockets(self):
        cell = next(cell for _, key, cell in self.rows() if key == "control")
        first, second, third = readme.words(cell)
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        perch_says.need(os.geteuid() == 0, "needs root: another user")
        with open(perch_says.PERCH, "rb") as binary:  # nobody may not reach the path
            for wanted, environment, identity in (
                    (first, {}, {}), (second, {"XDG_RUNTIME_DIR": "/tmp/x"}, nobody),
                    (third, {}, nobody)):
                said = subprocess.run(
                    [f"/proc/self/fd/{binary.fileno()}", "check", "--", "true"], check=False,
                    capture_output=True, text=True, env=environment, pass_fds=[binary.fileno()],
                    **identity)
                self.assertEqual(tomllib.loads(said.stdout)["perch"]["control"],
                                 wanted.replace("$XDG_RUNTIME_DIR", "/tmp/x"))

    def test_the_ways_of_the_hand_over(self):
        said = perch_says.check(perch_says.config_with("workers.app", 'handover = "zzz"\n')).stderr
        known = re.search(r"use (.*)", said).group(1).replace(" or ", ", ").split(", ")
        self.assertEqual(set(README.tables["`handover`"].first_words()), set(known))


class Reload(unittest.TestCase):
    # Another value for each key; commands, listeners and paths have tests of their own.
    OTHER = {
        "perch": {"log_level": '"debug"', "log_format": '"json"', "readers": '["user:daemon"]',
                  "operators": '["user:daemon"]', "http": '"127.0.0.1:9480"',
                  "reload_on_change": "true", "keeper": '"/run/k.sock"'},
        "listeners.api": {"mode": '"0600"', "user": '"daemon"', "group": '"daemon"', "backlog": "9",
                          "wait_for_owner": '"1s"', "on_exit": '"unlink"',
                          "peercred": '"worker"'},
        "workers.app": {"handover": '"stdin"', "probe_guard": "false",
                        "tcp_reuse_address": "true", "required": "false", "stop_signal": '"SIGINT"',
                        "stop_timeout": '"3s"', "forward_signals": "[]",
                        "reload_signal": '"SIGHUP"', "capture": "true", "capture_format": '"json"',
                        "capture_rate": "9", "user": '"daemon"', "group": '"daemon"',
                        "directory": '"/"', "umask": '"0027"', "environment": '{ A = "1" }',
                        "capabilities": '["all"]', "rlimits": "{ core = 0 }",
                        "on_child_oom": '"restart"', "pids_max": "9", "cpu_weight": "9",
                        "memory": '{ max = "1GiB" }',
                        "readiness": '{ timeout = "9s" }', "restart": "{ burst = 9 }"},
    }
    APART = {"control", "path", "command", "listeners"}

    def test_a_key_restarts_its_worker_where_the_table_says_so_and_nowhere_else(self):
        restarting = {("workers.app", word) for what, happens in README.tables["what changes"].rows
                      for word in readme.words(what) if happens.startswith("the worker is restart")}
        with tempfile.TemporaryDirectory() as place:
            config = perch_says.config_with().replace("/run/app", place).replace('"app"', '"cat"')
            with perch_says.running_config(config) as control:
                for section, keys in self.OTHER.items():
                    self.assertEqual(set(keys), set(perch_says.keys_of(section)) - self.APART)
                    for key, value in keys.items():
                        head = f"[{section}]\n"
                        changed = config.replace(head, f"{head}{key} = {value}\n")
                        said = perch_says.check(changed, "--diff", "--control", control).stdout
                        self.assertIn(f"  {key}", said)
                        self.assertEqual("worker app: would be restarted" in said,
                                         (section, key) in restarting, said)

    def test_what_a_reload_does_is_told_of_keys_that_there_are(self):
        known = {key for name in perch_says.TABLES for key in perch_says.keys_of(name)}
        told = set(README.tables["what changes"].first_words())
        self.assertLessEqual(told - {"[perch]"}, known)


if __name__ == "__main__":
    unittest.main()
