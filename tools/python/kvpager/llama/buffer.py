"""One piece of memory for states, used again and again."""

from __future__ import annotations

from .. import allocate

_STEP_BYTES = 8 << 20


class StateBuffer:
    """Memory for one engine state at a time. It grows and never shrinks.

    A fresh buffer for each state would cost more than the copy into it, because every page of it is a page fault.
    """

    def __init__(self) -> None:
        self._view = memoryview(b"")

    def reserve(self, byte_count: int) -> memoryview:
        """A writable view of exactly `byte_count` bytes. What an earlier view showed is no longer meant."""
        if len(self._view) < byte_count:
            self.close()
            # A conversation grows by little at a time: with some room to spare it stays in one place.
            size = byte_count + byte_count // 4
            self._view = allocate(-(-size // _STEP_BYTES) * _STEP_BYTES)
        return self._view[:byte_count]

    def close(self) -> None:
        """Gives the memory back, as soon as nobody looks at it any more."""
        self._view = memoryview(b"")
