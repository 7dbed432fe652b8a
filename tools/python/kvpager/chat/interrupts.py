"""Signals, heard between two tokens and never in the middle of a save."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Leave(Exception):
    """The chat is to end; what was said is kept."""


class Interrupts:
    """On a terminal ctrl-C stops an answer, and ends the chat at the prompt. SIGTERM, SIGHUP, and ctrl-C where
    questions come from a pipe, end the chat in mid-answer too."""

    def __init__(self, *, interactive: bool) -> None:
        self.stop = False
        """What is being computed is to stop."""
        self.leave = False
        """The chat is to end."""
        self._interactive = interactive
        self._waiting = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._hear)

    def _hear(self, number: int, _: FrameType | None) -> None:
        self.stop = True
        self.leave = self.leave or number != signal.SIGINT or not self._interactive
        if self._waiting:
            raise Leave

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While the user is waited for, a signal raises Leave."""
        self._waiting = True
        try:
            if self.leave:
                raise Leave
            yield
        finally:
            self._waiting = False

    def computing(self) -> None:
        """An answer begins: an earlier ctrl-C was for another."""
        self.stop = self.leave
