"""test_manual.py - the manual page: does it tell of every command, option and exit code there is?"""
import pathlib
import re
import subprocess
import sys
import unittest

from cli_case import *

MANUAL = pathlib.Path(__file__).resolve().parents[2] / "tools" / "manual.py"


class Manual(CliCase):
    def made(self, name):
        page = pathlib.Path(self.folder) / name
        subprocess.run([sys.executable, "-B", MANUAL, SKERRY, page], check=True)
        return page.read_text(encoding="utf-8")

    def test_whatever_the_command_says_is_in_its_page(self):
        page = self.made("skerry.1").replace("\\-", "-")
        top = self.run_skerry("--help")
        commands = re.findall(r"^  (\w+) {2,}", top.split("Subcommands:")[1].split("\n\n")[0], re.M)
        self.assertIn("search", commands)
        sections = page.split("\n.SH ")
        for command in commands:
            told = self.run_skerry(command, "--help")
            section = [text for text in sections if text.startswith(command.upper() + "\n")]
            self.assertEqual(len(section), 1, command)
            for option in re.findall(r"^  (?:-\w,)?(--[\w-]+)", told, re.M):
                if option != "--help":
                    self.assertRegex(section[0], rf"\\fB(-\w,)?{option}\b", command)
            example = told.split("Example:\n")[1].splitlines()[0] if "Example:" in told else ""
            self.assertIn(example, section[0])
        for code in ("0", "8", "130"):
            self.assertIn(f"\\fB{code}\\fR\n", page.split(".SH EXIT STATUS")[1])

    def test_the_same_command_gives_the_same_page(self):
        self.assertEqual(self.made("one.1"), self.made("other.1"))


if __name__ == "__main__":
    unittest.main()
