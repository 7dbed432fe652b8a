"""`kvpager watch` under a shell with job control, on a terminal of its own: Ctrl-Z, fg, Ctrl-C."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import termios
import time
import unittest
from pathlib import Path

import tool

ENTER = "\x1b[?1049h"
LEAVE = "\x1b[?1049l"
BASH = Path("/bin/bash")
LONG_SECONDS = 60  # what has not come by then does not come


class Shell:
    """An interactive bash, the leader of a session whose terminal this test holds."""

    def __init__(self, folder: Path) -> None:
        self.text = ""
        self.process, self.master = pty.fork()
        if self.process == 0:
            environment = {"PS1": "READY\n", "TERM": "xterm", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
            os.chdir(folder)
            os.execve(BASH, ["bash", "--norc", "--noprofile", "--noediting", "-i"], environment)
        self.wait_for("READY")

    def close(self) -> None:
        os.kill(self.process, signal.SIGKILL)
        os.close(self.master)
        os.waitpid(self.process, 0)

    def send(self, keys: str) -> None:
        """Types, and forgets what stood there before."""
        self.text = ""
        os.write(self.master, keys.encode())

    def wait_for(self, *words: str) -> None:
        """Reads until each of the words came, one after the other."""
        end = time.monotonic() + LONG_SECONDS
        while not self._has(words):
            ready, _, _ = select.select([self.master], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f"no {words!r} in {self.text[-600:]!r}")
            self.text += os.read(self.master, 65536).decode(errors="replace")

    def _has(self, words: tuple[str, ...]) -> bool:
        place = 0
        for word in words:
            place = self.text.find(word, place)
            if place < 0:
                return False
            place += len(word)
        return True

    def modes(self) -> list[object]:
        """How the terminal treats keys and output."""
        return list(termios.tcgetattr(self.master)[:4])


@unittest.skipUnless(BASH.exists() and sys.platform == "linux", "bash on Linux is wanted")
class JobControlTests(unittest.TestCase):
    def setUp(self) -> None:
        self.shell = Shell(tool.golden_store(self))
        self.addCleanup(self.shell.close)
        self.modes = self.shell.modes()

    def start(self) -> None:
        self.shell.send(f"{tool.KVPAGER} watch --store kv\n")
        self.shell.wait_for(ENTER, "q quits")

    def children(self) -> dict[int, int]:
        """The view's processes: each with its parent."""
        found: dict[int, int] = {}
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                words = status.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            found[int(status.parent.name)] = int(words[1])
        return {child: parent for child, parent in found.items()
                if parent == self.shell.process or found.get(parent) == self.shell.process}

    def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_back(self) -> None:
        self.start()
        for _ in range(10):
            self.shell.send("\x1a")
            self.shell.wait_for(LEAVE, "Stopped", "READY")
            self.assertEqual(self.shell.modes(), self.modes)
            # The shell reads its line in peace.
            self.shell.send("echo $((6 * 7))\n")
            self.shell.wait_for("\n42", "READY")
            self.shell.send("fg\n")
            self.shell.wait_for(ENTER, "q quits")
        self.shell.send("q")
        self.shell.wait_for(LEAVE, "READY")
        self.assertEqual(self.shell.modes(), self.modes)

    def test_ctrl_c_ends_a_view_that_was_stopped_before(self) -> None:
        self.start()
        self.shell.send("\x1a")
        self.shell.wait_for(LEAVE, "READY")
        self.shell.send("fg\n")
        self.shell.wait_for(ENTER, "q quits")
        self.shell.send("\x03")
        self.shell.wait_for(LEAVE, "READY")
        self.shell.send("echo status=$?\n")
        self.shell.wait_for("status=130", "READY")
        self.assertEqual(self.shell.modes(), self.modes)

    def test_the_shell_can_go_on_after_either_process_was_killed(self) -> None:
        for kills_parent in (False, True):
            with self.subTest(kills_parent=kills_parent):
                self.start()
                family = self.children()
                parent = next(process for process, of in family.items() if of == self.shell.process)
                child = next(process for process, of in family.items() if of == parent)
                self.shell.text = ""
                os.kill(parent if kills_parent else child, signal.SIGKILL)
                self.shell.wait_for(LEAVE)
                self.shell.send("echo $((6 * 7))\n")
                self.shell.wait_for("\n42", "READY")
                self.assertEqual(self.shell.modes(), self.modes)


if __name__ == "__main__":
    unittest.main()
