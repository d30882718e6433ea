#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""README's commands do what README says, and its tables are those of the binary. Every block and
every table is known here: a new one wants a new test."""
import json
import os
import re
import signal
import subprocess
import tempfile
import unittest

import perch_says
import readme
from world import World

README = readme.read(f"{perch_says.SOURCES}/README.md")
# Each is tested by itself, and installs or downloads.
NOT_RUN = ("packaging/demo", "tests/run", "tests/bench/", "meson setup", "perch-peer ",
           "perch run --listen /run/peer", "helm ")
# By the first cell of the head; each has its test here, in readme_config_test.py or in e2e/metrics.
TABLES = {"key", "`handover`", "state", "cause", "tier", "signal to perch", "exit code", "request",
          "what changes", "metric", "`capture_format`", "command", "restart as fast as can be",
          "what happened", "daemon", "exit status",
          "metric of the peer", "killed by"}


def table(head):
    return README.tables[head]


class Blocks(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.addCleanup(self.world.close)

    def run_block(self, block):
        for command, prints in readme.commands(block):
            if command.startswith(NOT_RUN):
                continue
            with self.subTest(command):
                self.run_command(command, prints)

    def run_command(self, command, prints):
        endless = "follow=1" in command or command.endswith(" -f")
        code, said = self.world.do(f"timeout 1 {command}" if endless else command)
        self.assertEqual(code, 124 if endless else 0)
        for line in prints:
            self.assertIn(readme.normal(line), readme.normal(said))
        if command.endswith("&"):  # who types is slower than perch
            self.world.wait_until("perch ready")

    def test_the_commands_of_try_it(self):
        for block in README.blocks:
            if "/run/perch" not in block:
                self.run_block(block)

    def test_the_commands_that_ask_a_running_perch(self):
        self.world.do("perch run --listen /run/app/api.sock -- sleep 600 &")
        self.world.wait_until("perch ready")
        for block in README.blocks:
            if "/run/perch" in block:
                self.run_block(block)

    def test_the_configuration_is_valid(self):
        configurations = [text for language, text in README.fenced if language == "toml"]
        self.assertTrue(configurations)
        for text in configurations:
            self.assertEqual(perch_says.check(text).returncode, 0)

    def test_there_is_no_other_block(self):
        self.assertEqual({language for language, _ in README.fenced}, {"toml", "yaml"})


class Running(unittest.TestCase):
    """Against a perch that runs."""

    def ask(self, control, target="/v1/status", method="GET"):
        said = subprocess.run(["curl", "-s", "--unix-socket", control, "-X", method, "-w",
                               "\n%{http_code}", f"http://perch{target}"], check=True, timeout=60,
                              capture_output=True, text=True).stdout
        body, _, code = said.rpartition("\n")
        return int(code), body

    def status(self, control):
        return json.loads(self.ask(control)[1])

    def test_the_causes(self):
        with perch_says.running_perch(["app"]) as control:
            deaths = self.status(control)["workers"]["app"]["deaths"]
        self.assertEqual(table("cause").first_words()[:len(deaths)], list(deaths))

    def test_the_requests(self):
        rows = table("request").rows
        with perch_says.running_perch(["app"]) as control:
            for row in rows:
                for method, target in self.requests_of(row[0]):
                    code, _ = self.ask(control, target, method)
                    self.assertIn(str(code), " ".join(row) + " 200", f"{method} {target}")
            self.assertEqual(self.ask(control, "/v1/nothing")[0], 404)

    @staticmethod
    def requests_of(cell):
        """`POST /v1/workers/{name}/restart`, `stop`: two requests."""
        first, *others = readme.words(cell)
        method, target = first.replace("{name}", "app").split()
        return [(method, target)] + [(method, f"{target.rpartition('/')[0]}/{other}")
                                     for other in others]

    def test_the_tier_of_this_machine(self):
        with perch_says.running_perch(["app"]) as control:
            tier = self.status(control)["perch"]["oom_protection"]["tier"]
        self.assertIn(tier, table("tier").first_words())

    def test_the_states(self):
        with perch_says.running_perch(["app"]) as control:
            metrics = self.ask(control, "/metrics")[1]
        known = re.findall(r'^perch_worker_state{.*state="(.*)"}', metrics, re.MULTILINE)
        self.assertEqual(table("state").first_words(), known)


class Signals(unittest.TestCase):
    DOES = {"TERM": "ends", "INT": "ends", "QUIT": "ends", "HUP": "reloads", "USR1": "forwards",
            "USR2": "forwards", "WINCH": "forwards", "CHLD": "goes on", "ALRM": "goes on"}

    def test_the_rows(self):
        told = [name for row in table("signal to perch").rows for name in row[0].split(", ")]
        self.assertEqual(told, ["TERM", "INT", "QUIT", "HUP", "those in `forward_signals`", "CHLD",
                                "others"])

    def test_what_each_does(self):
        for name, wanted in self.DOES.items():
            with self.subTest(name), tempfile.TemporaryDirectory() as place:
                # The kernel may take its time to deliver, but what is ignored is so for ever.
                looks = 50 if wanted == "goes on" else 5000
                number = getattr(signal, f"SIG{name}")
                self.assertEqual(self.answer_to(number, place, looks), wanted)

    def answer_to(self, number, place, looks):
        """Of a perch whose worker notes what it is sent."""
        notes, control = f"{place}/notes", f"{place}/c.sock"
        worker = (f"trap 'echo got >> {notes}' USR1 USR2 WINCH; echo up >> {notes}; "
                  "while :; do sleep 0.01; done")
        with subprocess.Popen([perch_says.PERCH, "run", "--control", control, "--", "sh", "-c",
                               worker], stderr=subprocess.DEVNULL) as perch:
            try:
                while not os.path.exists(notes):
                    self.assertIsNone(perch.poll())
                perch.send_signal(number)
                answers = (self.look(perch, control, notes) for _ in range(looks))
                return next((answer for answer in answers if answer), "goes on")
            finally:
                perch.terminate()

    def look(self, perch, control, notes):
        said = perch_says.run("status", "--json", "--control", control)
        if said.returncode != 0:
            self.assertEqual(perch.wait(60), 0)
            return "ends"
        reloads = json.loads(said.stdout)["perch"]["reloads"]
        if reloads["ok"] + reloads["failed"] > 0:
            return "reloads"
        with open(notes, encoding="utf-8") as file:
            return "forwards" if "got" in file.read() else None


class Tables(unittest.TestCase):
    def test_every_command_that_asks_has_a_row_with_options_that_it_has(self):
        known, told = perch_says.commands(), set()
        for row in table("command").rows:
            names = [word for word in " ".join(readme.words(row[0])).split() if word in known]
            told |= set(names)
            for option in re.findall(r"(?<!-)--?[a-z-]+", " ".join(readme.words(" ".join(row)))):
                for name in names:
                    self.assertIn(option, {*known[name].options, *known[name].short_options})
        self.assertEqual(told, {name for name, command in known.items()
                                if "--control" in command.options} - {"run"})

    def test_the_exit_codes(self):
        plain = str.maketrans("", "", '`"')
        told = {int(code): meaning.translate(plain) for code, meaning in table("exit code").rows}
        self.assertEqual(told, {code: meaning.translate(plain)
                                for code, meaning in perch_says.exit_codes().items()})

    def test_what_captured_lines_become(self):
        for form, becomes in table("`capture_format`").rows:
            with self.subTest(form):
                said = self.captured(form.strip("`"))
                told = "line" if form == "`raw`" else becomes.strip("`")
                if form == "`json`":
                    said, told = json.loads(said), json.loads(told)
                    for changing in "time", "generation":
                        self.assertIs(type(said.pop(changing)), type(told.pop(changing)))
                self.assertEqual(said, told)

    def captured(self, form):
        """What perch prints when worker app says "line" on stderr, and ends."""
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
            config.write(f'''perch = {{control = "none", log_level = "error"}}
[workers.app]
command = ["sh", "-c", "echo line >&2"]
capture = true
capture_format = "{form}"
restart = {{policy = "never"}}
''')
            config.flush()
            return perch_says.run("run", "-c", config.name).stderr.strip()

    def test_the_kinds_of_heals(self):
        told = {word for row in table("what happened").rows for word in readme.words(row[2])}
        with tempfile.TemporaryDirectory() as place:
            control = f"{place}/c.sock"
            with subprocess.Popen([perch_says.PERCH, "run", "--control", control, "--listen",
                                   f"{place}/api.sock", "--", "sleep", "1000"],
                                  stderr=subprocess.DEVNULL) as perch:
                try:
                    said = ""
                    while not said:
                        self.assertIsNone(perch.poll())
                        said = perch_says.run("status", "--json", "--control", control).stdout
                finally:
                    perch.terminate()
        [listener] = json.loads(said)["listeners"].values()
        self.assertEqual(told, set(listener["heals_by_kind"]))

    def test_the_figures_are_those_of_the_result(self):
        measured = readme.read(f"{perch_says.SOURCES}/tests/bench/results/recovery.md").tables
        fast, rest = (measured[head].rows for head in ("restart as fast as can be", "at rest"))
        for name, *figures in table("restart as fast as can be").rows:
            name = name.removeprefix("systemd-").removesuffix(" in a loop").partition(":")[0]
            found = [cell.partition(" + ")[0] for row in fast + rest if row[0] == name
                     for cell in row[1:]]
            self.assertLessEqual(set(figures), set(found), name)

    def test_the_daemons_are_those_of_the_result(self):
        measured = readme.read(f"{perch_says.SOURCES}/tests/daemons/results.md").tables["daemon"]
        columns = [measured.head.index(title) for title in table("daemon").head]
        self.assertEqual(table("daemon").rows,
                         [[row[column] for column in columns] for row in measured.rows])

    def test_the_downloads_are_those_of_the_result(self):
        measured = readme.read(f"{perch_says.SOURCES}/tests/bench/results/peer.md").tables["killed by"]
        columns = [measured.head.index(title) for title in table("killed by").head]
        self.assertEqual(table("killed by").rows,
                         [[row[column] for column in columns] for row in measured.rows])

    def test_there_is_no_other_table(self):
        self.assertEqual(set(README.tables), TABLES)


if __name__ == "__main__":
    unittest.main()
