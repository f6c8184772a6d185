#!/usr/bin/env python3
"""manual.py - the manual page of the command, out of what the command says of itself.

  manual.py SKERRY PAGE    SKERRY is the command; PAGE is written (skerry.1, say)

Every command's --help is there with its options and examples, so the page cannot tell of an option
that is none. The same command gives the same bytes.
"""
import re
import subprocess
import sys

WIDTH = 30  # where help texts begin to say what a word means


class Help:
    """The parts of a --help: what stands before the usage, the usage, and sections by their titles."""

    def __init__(self, text):
        self.intro, self.usage, self.sections = [], "", {}
        lines = self.intro
        for line in text.rstrip().splitlines():
            title = re.fullmatch(r"([A-Z][a-z ]+):", line)
            if line.startswith("Usage: "):
                self.usage = line.removeprefix("Usage: ")
                lines = []
            elif title:
                lines = self.sections.setdefault(title[1], [])
            else:
                lines.append(line)

    def entries(self, title):
        """The words of a section, with what they mean."""
        found = []
        for line in self.sections.get(title, []):
            if line.startswith(" " * WIDTH):
                word, meaning = found.pop()
                found.append((word, f"{meaning} {line.strip()}".strip()))
            elif line.strip():
                word, _, meaning = line.strip().partition("  ")
                found.append((word, meaning.strip()))
        return found


def asked(skerry, *words):
    run = subprocess.run([skerry, *words, "--help"], check=True, capture_output=True, text=True)
    return Help(run.stdout)


def roff(text):
    """Plain text as a line of the page."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def listed(entries):
    for word, meaning in entries:
        yield from (".TP", f"\\fB{roff(word)}\\fR", roff(meaning) or "\\&")


def as_typed(lines):
    yield from (".PP", ".nf", *(roff(line) for line in "\n".join(lines).strip("\n").splitlines()), ".fi")


def page(skerry):
    version = subprocess.run([skerry, "--version"], check=True, capture_output=True, text=True).stdout
    top = asked(skerry)
    commands = top.entries("Subcommands")
    yield '.\\" Made by tools/manual.py out of what the command says of itself: do not edit.'
    yield f'.TH SKERRY 1 "" "{" ".join(version.split()[:2])}" "User Commands"'
    yield from (".SH NAME", "skerry \\- keep vectors on disk, change them all the time, search them fast")
    yield from (".SH SYNOPSIS", "\\fBskerry\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR] ...")
    yield from (".SH DESCRIPTION", *(roff(line) for line in top.intro))
    yield from (".PP", "The commands:", *listed(commands), ".PP", "The options:",
                *listed(top.entries("Options")))
    for command, meaning in commands:
        told = asked(skerry, command)
        end = "" if meaning.endswith(("?", ")")) else "."
        yield from (f".SH {command.upper()}", roff(meaning) + end)
        yield from (".PP", f"\\fB{roff(told.usage)}\\fR")
        for title in told.sections:
            if title == "Example":
                yield from as_typed(told.sections[title])
            else:
                yield from listed(entry for entry in told.entries(title) if entry[0] != "-h,--help")
    yield from (".SH EXIT STATUS", *listed(top.entries("Exit codes")))
    yield from (".SH EXAMPLES", *as_typed(top.sections["Example"]))


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: manual.py SKERRY PAGE")
    text = "\n".join(page(sys.argv[1])) + "\n"
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
