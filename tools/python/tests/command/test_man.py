"""The manual page: all that the help says, in a form that man's own checkers accept."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import tool


class ManualPageTests(unittest.TestCase):
    page: Path

    @classmethod
    def setUpClass(cls) -> None:
        folder = Path(tempfile.mkdtemp(prefix="kvpager-man-"))
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.page = folder / "kvpager.1"
        environment = {**os.environ, "KVPAGER": str(tool.KVPAGER), "SOURCE_DATE_EPOCH": "1700000000"}
        subprocess.run([tool.ROOT / "tools" / "man", cls.page], check=True, env=environment)

    def rendered(self) -> str:
        for command in (["mandoc", "-Tutf8", "-Owidth=80"], ["groff", "-mandoc", "-Tutf8", "-rLL=80n", "-P-cbou"]):
            if shutil.which(command[0]):
                text = subprocess.run([*command, self.page], check=True, capture_output=True, text=True).stdout
                return re.sub(r".\x08|\x1b\[[0-9;]*m", "", text)
        self.skipTest("neither mandoc nor groff is installed")

    def test_every_command_and_every_option_is_told(self) -> None:
        dump = subprocess.run([tool.KVPAGER, "--experimental-dump-help"], check=True, capture_output=True).stdout
        text = self.rendered()
        commands = []
        for command in json.loads(dump)["command"]["subcommands"]:
            inner = [{**c, "commandName": f"{command['commandName']} {c['commandName']}"}
                     for c in command.get("subcommands", []) if c["commandName"] != "help"]
            commands += inner or ([] if command["commandName"] == "help" else [command])
        self.assertGreater(len(commands), 10)
        for command in commands:
            section = re.search(rf"\n   {command['commandName']}\n(.*?)(?=\n   \S|\n\S)", text, flags=re.S)
            self.assertIsNotNone(section, command["commandName"])
            told = section[1] if section else ""
            self.assertIn(f"kvpager {command['commandName']}", told)
            self.assertIn("Examples:", told)
            for argument in command.get("arguments", []):
                for name in argument.get("names") or []:
                    option = ("-" if name["kind"] == "short" else "--") + name["name"]
                    self.assertIn(option, told if f"\n     {option}" in told else text, command["commandName"])
        for title in ("NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES"):
            self.assertIn(f"\n{title}\n", text)
        self.assertNotIn("None", text)
        self.assertIn("November 14, 2023", text)

    def test_it_fits_a_terminal(self) -> None:
        long = [line for line in self.rendered().splitlines() if len(line) > 80 and "kvpager " not in line]
        self.assertEqual(long, [], "examples alone may be longer: a line of shell is one line")

    def test_mandoc_finds_nothing_wrong(self) -> None:
        if shutil.which("mandoc") is None:
            self.skipTest("mandoc is not installed")
        done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", self.page], capture_output=True, text=True)
        self.assertEqual(done.stdout + done.stderr, "")

    def test_groff_finds_nothing_wrong(self) -> None:
        if shutil.which("groff") is None:
            self.skipTest("groff is not installed")
        done = subprocess.run(["groff", "-mandoc", "-Tutf8", "-ww", self.page], capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.returncode, 0)

    def test_it_is_the_same_page_each_time(self) -> None:
        environment = {**os.environ, "KVPAGER": str(tool.KVPAGER), "SOURCE_DATE_EPOCH": "1700000000"}
        again = subprocess.run(
            [tool.ROOT / "tools" / "man"], check=True, capture_output=True, text=True, env=environment)
        self.assertEqual(again.stdout, self.page.read_text())


if __name__ == "__main__":
    unittest.main()
