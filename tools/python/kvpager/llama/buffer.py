"""One piece of memory for states, used again and again."""

from __future__ import annotations

import ctypes
import threading

from .. import allocate
from .._memory import address_of

_STEP_BYTES = 8 << 20
_TOUCH_BYTES = 2 << 20  # a huge page


class StateBuffer:
    """Memory for one engine state at a time. It grows and never shrinks.

    A fresh buffer for each state would cost more than the copy into it, because every page of it is a page fault.

    Invariant: the thread that touches the memory has ended before anybody else sees it.
    """

    def __init__(self) -> None:
        self._view = memoryview(b"")
        self._toucher: threading.Thread | None = None
        self._stop = threading.Event()

    def prepare(self, byte_count: int) -> None:
        """Makes room for a state of `byte_count` bytes and has the system give the memory, on a thread of its own."""
        self._take(byte_count)
        self._toucher = threading.Thread(
            target=_touch, args=(self._view, self._stop), name="kvpager state buffer", daemon=True)
        self._toucher.start()

    def reserve(self, byte_count: int) -> memoryview:
        """A writable view of exactly `byte_count` bytes. What an earlier view showed is no longer meant."""
        self._settle()
        if len(self._view) < byte_count:
            self._take(byte_count)
        return self._view[:byte_count]

    def _take(self, byte_count: int) -> None:
        self.close()
        # A conversation grows by little at a time: with some room to spare it stays in one place.
        size = byte_count + byte_count // 4
        self._view = allocate(-(-size // _STEP_BYTES) * _STEP_BYTES)

    def _settle(self) -> None:
        """What is not touched yet stays so: whoever writes there touches it."""
        if self._toucher is not None:
            self._stop.set()
            self._toucher.join()
            self._toucher = None
            self._stop = threading.Event()

    def close(self) -> None:
        """Gives the memory back, as soon as nobody looks at it any more."""
        self._settle()
        self._view = memoryview(b"")


def _touch(view: memoryview, stop: threading.Event) -> None:
    address, size = address_of(view), view.nbytes
    for offset in range(0, size, _TOUCH_BYTES):
        if stop.is_set():
            return
        ctypes.memset(address + offset, 0, min(_TOUCH_BYTES, size - offset))
