#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The manual pages are well-formed, and say no more and no less than the binary."""
import re
import shutil
import subprocess
import tempfile
import unittest

import perch_says
import readme

PERCH_1 = f"{perch_says.SOURCES}/packaging/man/perch.1"
PERCH_TOML_5 = f"{perch_says.SOURCES}/packaging/man/perch.toml.5"
PERCH_PEER_1 = f"{perch_says.SOURCES}/packaging/man/perch-peer.1"
MACROS = re.compile(r"\b(?:Ic|Cm|Ar|Dv|Ev|Ta|Fl|Ns|Oo|Oc|Op|No|Pq|Qq|Li) ")


def mandoc(*arguments):
    return subprocess.run(["mandoc", *arguments], capture_output=True, text=True, check=False)


def rendered(page):
    """One line a paragraph, without overstriking."""
    text = re.sub(".\b", "", mandoc("-T", "ascii", "-O", "width=400", page).stdout)
    return [" ".join(line.split()) for line in text.splitlines()]


def sections(page):
    """{section or subsection: source lines}"""
    found, lines = {}, []
    with open(page, encoding="utf-8") as source:
        for line in source:
            heading = re.match(r"\.S[hs] (.*)", line)
            if heading:
                lines = found.setdefault(heading.group(1), [])
            else:
                lines.append(line.rstrip())
    return found


def items(lines):
    """{name: text} of a list; what is told together, as TERM and INT, under each name."""
    found, names = {}, []
    for line in lines:
        if line.startswith(".It "):
            names = [name for name in MACROS.sub("", line[4:]).split() if name != ","]
            found |= {name: "" for name in names}
        else:
            for name in names:
                found[name] += line + "\n"
    return found


class Pages(unittest.TestCase):
    def setUp(self):
        perch_says.need(shutil.which("mandoc"), "needs mandoc")

    def test_mandoc_finds_nothing(self):
        for page in PERCH_1, PERCH_TOML_5, PERCH_PEER_1:
            self.assertEqual(mandoc("-T", "lint", "-W", "warning", page).stdout, "")

    def test_the_synopsis_is_the_one_of_help(self):
        page = rendered(PERCH_1)
        synopsis = page[page.index("SYNOPSIS") + 1:page.index("DESCRIPTION") - 1]
        self.assertEqual(synopsis, [c.usage for c in perch_says.commands().values()])


def described_options(lines):
    """{"--config": its text}"""
    rows = re.split(r"^\.It ", "\n".join(lines), flags=re.MULTILINE)[1:]
    return {"-" + re.match(r"(?:Fl \w , |Fl )(-[\w-]+)", row).group(1): row for row in rows}


class Perch1(unittest.TestCase):
    def setUp(self):
        self.sections = sections(PERCH_1)

    def test_every_command_is_described_and_no_other(self):
        self.assertEqual(list(items(self.sections["DESCRIPTION"])), list(perch_says.commands()))

    def described_options(self):
        return described_options(self.sections["OPTIONS"])

    def test_every_option_is_described_and_no_other(self):
        known = {option for command in perch_says.commands().values() for option in command.options}
        self.assertEqual(set(self.described_options()), known | {"--version"})

    def test_an_option_names_the_commands_that_have_it(self):
        for option, text in self.described_options().items():
            named = set(" ".join(re.findall(r"^\.Pq (.*)$", text, re.MULTILINE)).split(", "))
            having = {name for name, command in perch_says.commands().items()
                      if option in command.options}
            if named != {""} and "other" not in str(named):
                self.assertEqual(named, having, option)

    def test_every_exit_code_is_described_and_no_other(self):
        self.assertEqual([int(code) for code in items(self.sections["EXIT STATUS"])],
                         list(perch_says.exit_codes()))

    def test_every_request_of_readme_is_described_and_no_other(self):
        told = readme.read(f"{perch_says.SOURCES}/README.md").tables["request"].first_words()
        requests = [line.removeprefix(".It Li ") for line in self.sections["CONTROL SOCKET"]
                    if line.startswith(".It ")]
        self.assertEqual(sorted(", ".join(requests).replace(" ,", ",").split(", ")),
                         sorted(word.replace("{name}", "NAME") for word in told))

    def test_every_tier_of_readme_is_described_and_no_other(self):
        told = readme.read(f"{perch_says.SOURCES}/README.md").tables["tier"].first_words()
        self.assertEqual(list(items(self.sections["PROTECTION FROM THE OOM KILLER"])), told)

    def test_every_signal_is_described_and_no_other(self):
        forwarded = perch_says.defaults()["workers"]["app"]["forward_signals"]
        self.assertEqual(set(items(self.sections["SIGNALS"])),  # readme_test.py sends them
                         {"TERM", "INT", "QUIT", "HUP", "CHLD"} |
                         {name.removeprefix("SIG") for name in forwarded})


class Environment(unittest.TestCase):
    def setUp(self):
        text = "\n".join(sections(PERCH_1)["ENVIRONMENT"])
        self.read, self.given = text.split("Every worker has")

    def environment_of_worker(self, *arguments):
        """Of the first generation, started with an empty one."""
        said = perch_says.run("run", "--control", "none", "--policy", "never", *arguments, "--",
                              "env", env={})
        return dict(line.split("=", 1) for line in said.stdout.splitlines())

    def test_every_variable_that_a_worker_gets_is_described_and_no_other(self):
        given = set()
        with tempfile.TemporaryDirectory() as place:
            for way in "listen-fds", "stdin", "channel":
                given |= set(self.environment_of_worker("--handover", way, "--listen",
                                                        place + "/a"))
        self.assertEqual(set(items(self.given.splitlines())), given)

    def test_a_worker_is_told_who_it_is(self):
        environment = self.environment_of_worker()
        self.assertEqual(environment["PERCH_WORKER"], "env")
        self.assertEqual(environment["PERCH_GENERATION"], "env/1")
        self.assertEqual(environment["PERCH_LAST_CAUSE"], "")

    def test_perch_reads_the_variables_of_the_page_where_options_are_not_given(self):
        self.assertEqual(set(items(self.read.splitlines())),
                         {"PERCH_CONFIG", "PERCH_CONTROL", "PERCH_TERMINATION_LOG",
                          "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "XDG_RUNTIME_DIR",
                          "NO_COLOR"})
        with tempfile.TemporaryDirectory() as place:
            for name in "one", "other":
                with open(f"{place}/{name}.toml", "w", encoding="utf-8") as file:
                    file.write(f'[workers.{name}]\ncommand = ["true"]\n')
            environment = {"PERCH_CONFIG": f"{place}/one.toml", "PERCH_CONTROL": "/run/one.sock"}
            by_variable = perch_says.run("check", env=environment).stdout
            self.assertIn('control = "/run/one.sock"', by_variable)
            self.assertIn("[workers.one]", by_variable)
            by_option = perch_says.run("check", "-c", f"{place}/other.toml", "--control",
                                       "/run/other.sock", env=environment).stdout
            self.assertIn('control = "/run/other.sock"', by_option)
            self.assertNotIn("workers.one", by_option)


class PerchToml5(unittest.TestCase):
    SECTIONS = dict(zip(perch_says.TABLES, ["PERCH", "LISTENERS", "WORKERS", "rlimits", "memory",
                                            "readiness", "restart"]))

    def setUp(self):
        self.sections = sections(PERCH_TOML_5)

    def test_every_key_is_described_and_no_other(self):
        tables = {"environment", "rlimits", "memory", "readiness", "restart"}
        for table, section in self.SECTIONS.items():
            described = set(items(self.sections[section]))
            if section == "WORKERS":
                described |= tables & set(self.sections)
            self.assertEqual(described, set(perch_says.keys_of(table)), section)

    def test_every_default_is_told(self):
        for table, section in self.SECTIONS.items():
            value = perch_says.defaults()
            for step in table.split("."):
                value = value.get(step, {})
            for key, text in items(self.sections[section]).items():
                default = value.get(key, "")
                if not isinstance(default, (dict, list)) and "Required" not in text:
                    self.assertIn(str(default), text.replace("0777 less the umask", ""), key)


class PerchPeer1(unittest.TestCase):
    def setUp(self):
        perch_says.need_peer()
        self.sections = sections(PERCH_PEER_1)

    def test_every_command_is_described_and_no_other(self):
        self.assertEqual(list(items(self.sections["DESCRIPTION"])),
                         list(perch_says.peer_commands()))

    def test_every_option_is_described_and_no_other_with_the_commands_that_have_it(self):
        having = {}
        commands = perch_says.peer_commands()
        for name, text in commands.items():
            for option in re.findall(r"^  (?:-\w,)?(--[\w-]+)", text, re.MULTILINE):
                having.setdefault(option, set()).add(name)
        described = described_options(self.sections["OPTIONS"])
        self.assertEqual(set(described), set(having))
        for option, text in described.items():
            named = set(re.findall(r"^\.Pq (\w+)$", text, re.MULTILINE))
            self.assertEqual(named or set(commands), having[option], option)

    def test_bounds_and_defaults_are_those_of_the_binary(self):
        described = described_options(self.sections["OPTIONS"])
        told = {}
        for text in perch_says.peer_commands().values():
            for option, *numbers in re.findall(r"(--[\w-]+) \S+ in \[(\d+) - (\d+)\]=(\d+)", text):
                told.setdefault(option, set()).update(numbers)
        for option, numbers in told.items():
            self.assertEqual(set(re.findall(r"\b\d+\b", described[option])), numbers, option)

    def test_every_exit_code_is_described_and_no_other(self):
        page = "\n".join(self.sections["EXIT STATUS"])
        for name, text in perch_says.peer_commands().items():
            footer = " ".join(text[text.index("Exit status:"):].split())
            told = re.search(rf"^\.Cm {name}\n(.*?)^\.El", page, re.MULTILINE | re.DOTALL).group(1)
            self.assertEqual(re.findall(r"^\.It (\d+)", told, re.MULTILINE),
                             re.findall(r"\b(\d) ", footer), name)

    def test_readme_tells_the_exit_codes_of_the_client_and_no_other(self):
        table = readme.read(f"{perch_says.SOURCES}/README.md").tables["exit status"]
        commands = perch_says.peer_commands()
        known = set()
        for name in readme.words(table.head[1]):
            footer = commands[name][commands[name].index("Exit status:"):]
            known |= set(re.findall(r"\b(\d) ", " ".join(footer.split())))
        self.assertEqual([row[0] for row in table.rows], sorted(known))


if __name__ == "__main__":
    unittest.main()
