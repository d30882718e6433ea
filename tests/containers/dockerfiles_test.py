# SPDX-License-Identifier: Apache-2.0
"""What a build of packaging/docker's files from a registry would stumble over, without a registry."""

import json
import os
import pathlib
import subprocess
import unittest

TREE = pathlib.Path(os.environ["PERCH_SOURCE"])
FILES = sorted(TREE.glob("packaging/docker/*Dockerfile"))
EXEC_FORM = {"CMD", "ENTRYPOINT"}
KNOWN = EXEC_FORM | {"COPY", "FROM", "HEALTHCHECK", "RUN", "USER", "WORKDIR"}


def instructions(path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", "").splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            yield name, rest


def every(name):
    return [(path.name, rest) for path in FILES for found, rest in instructions(path) if found == name]


def copied_from_context(arguments):
    words = arguments.split()
    return [] if any(word.startswith("--from") for word in words) else words[:-1]


def kept(source):
    """Not left out of the context by .dockerignore."""
    return source.split("/")[0] not in (TREE / ".dockerignore").read_text().split()


class Dockerfiles(unittest.TestCase):
    def test_there_are_two(self):
        self.assertEqual([path.name for path in FILES], ["Dockerfile", "nginx.Dockerfile"])

    @unittest.skip("the first stage of Dockerfile: debian:12 is in a registry, which tests do not ask")
    def test_the_stage_that_builds(self):
        """All else of the images is built and run by images_test.cpp."""

    def test_every_instruction_is_known(self):
        for path in FILES:
            for name, _ in instructions(path):
                self.assertIn(name, KNOWN, path.name)

    def test_no_command_needs_a_shell(self):
        commands = [found for name in EXEC_FORM for found in every(name)]
        commands += [(path, rest[rest.index("["):]) for path, rest in every("HEALTHCHECK")]
        self.assertEqual(len(commands), 4)
        for path, rest in commands:
            self.assertTrue(all(isinstance(word, str) for word in json.loads(rest)), path)

    def test_every_image_has_a_tag(self):
        for path, image in every("FROM"):
            self.assertRegex(image, r"^(scratch|\S+:\S+)( AS \S+)?$", path)

    def test_what_is_copied_from_the_tree_is_there(self):
        for path, rest in every("COPY"):
            for source in copied_from_context(rest):
                self.assertTrue((TREE / source).exists() and kept(source), f"{path}: {source}")

    def test_every_shell_command_is_one(self):
        for path, rest in every("RUN"):
            checked = subprocess.run(["sh", "-n", "-c", rest], capture_output=True, text=True,
                                     check=False)
            self.assertEqual(checked.returncode, 0, f"{path}: {checked.stderr}")

    def test_the_image_of_perch_is_not_root(self):
        self.assertEqual(every("USER"), [("Dockerfile", "65532:65532")])


if __name__ == "__main__":
    unittest.main()
