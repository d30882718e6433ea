# SPDX-License-Identifier: Apache-2.0
"""README taken apart: its indented blocks of commands, its fenced blocks, its tables."""
import re


def read(path):
    with open(path, encoding="utf-8") as file:
        return Readme(file.read())


def words(cell):
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


class Table:
    def __init__(self, lines):
        split = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
        self.head, self.rows = split[0], split[2:]

    def first_words(self):
        return [word for row in self.rows for word in words(row[0])]


class Readme:
    def __init__(self, text):
        self.fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        rest = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        self.blocks = [re.sub("^    ", "", block, flags=re.MULTILINE).strip("\n")
                       for block in re.findall(r"^(?:    .*\n|\n(?=    ))+", rest, re.MULTILINE)]
        self.tables = {}
        for table in re.findall(r"^(?:\|.*\n)+", rest, re.MULTILINE):
            read_table = Table(table.splitlines())
            assert read_table.head[0] not in self.tables, read_table.head
            self.tables[read_table.head[0]] = read_table


def commands(block):
    """[(command, the lines it is said to print)]: these are comments that follow it."""
    found = []
    for line in block.splitlines():
        if line.startswith("# "):
            found[-1][1].append(line[2:])
            continue
        command, _, prints = line.partition("  # ")
        if command.strip():
            found.append((command.strip(), [prints.strip()] if prints else []))
    return found


def normal(text):
    """Numbers, times and spaces are never the same twice."""
    return " ".join(re.sub(r"\d+(\.\d+)?(ms|s|m|h)?\b", "N", text).split())
