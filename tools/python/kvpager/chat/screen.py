"""What is printed: the conversation on standard output, remarks about it on standard error."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO

_DIM, _BOLD, _END = "\x1b[2m", "\x1b[1m", "\x1b[0m"
_CONTROL = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class Screen:
    """Two streams, each with colours only where it is a terminal that wants them."""

    def __init__(self, *, plain: bool = False, output: TextIO = sys.stdout, remarks: TextIO = sys.stderr) -> None:
        self.output, self.remarks = output, remarks
        wanted = not plain and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._colour = {stream: wanted and stream.isatty() for stream in (output, remarks)}
        self._line_open = False

    def write(self, text: str) -> None:
        """A piece of an answer, as it comes. A model's control characters do not reach the terminal."""
        self._put(text.translate(_CONTROL))

    def _put(self, text: str) -> None:
        if text:
            self.output.write(text)
            self.output.flush()
            self._line_open = not text.endswith("\n")

    def end_line(self) -> None:
        if self._line_open:
            self.write("\n")

    def question(self, text: str) -> None:
        """A question that was not typed here: an earlier one, or one from a pipe."""
        self._put(self._styled(f"> {text}", _BOLD, self.output) + "\n")

    def system(self, text: str) -> None:
        line = " ".join(text.split())
        shown = line if len(line) <= 100 else f"{line[:97]}..."
        self._put(self._styled(f"[system] {shown}", _DIM, self.output) + "\n")

    def remark(self, text: str) -> None:
        """A line about the chat, which is not part of it."""
        with suppress(OSError):  # a terminal that was closed, or a pipe that nobody reads: there is nobody to tell
            self.end_line()
            self.remarks.write(self._styled(f"kvpager: {text}", _DIM, self.remarks) + "\n")
            self.remarks.flush()

    def _styled(self, text: str, style: str, stream: TextIO) -> str:
        text = text.translate(_CONTROL)
        return f"{style}{text}{_END}" if self._colour[stream] else text
