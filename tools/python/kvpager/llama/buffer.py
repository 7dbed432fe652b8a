"""One piece of memory for states, used again and again."""

from __future__ import annotations

import ctypes
import mmap
import threading

import kvpager

from .._memory import address_of

_STEP_BYTES = 8 << 20
_TOUCH_BYTES = 2 << 20  # a huge page
_MOST_BYTES = 4 << 30
_MADV_POPULATE_WRITE = 23  # Linux 5.14 and later


class StateBuffer:
    """Memory for one engine state at a time. It grows and never shrinks.

    A fresh buffer for each state would cost more than the copy into it, because every page of it is a page fault. In a
    process that has just started the first state pays for them, unless the memory was asked for in time:

        store = kvpager.Store("kv")
        buffer = StateBuffer.ready_for(store)     # the system gives the memory while ...
        llm = llama_cpp.Llama(...)                # ... the model loads
        pager = SessionPager(store, llm, buffer=buffer)

    Invariant: the thread that has the system give memory changes none of it, and ends before the memory goes.
    """

    def __init__(self) -> None:
        self._view = memoryview(b"")
        self._toucher: threading.Thread | None = None
        self._stop = threading.Event()

    @classmethod
    def ready_for(cls, store: kvpager.Store) -> StateBuffer:
        """A buffer for the longest session that the store has, on its way. Nothing is lost where the guess is wrong."""
        sizes = {space["id"]: space["tokenBytes"] for space in store.spaces()}
        longest = max(
            (info.checkpoint_bytes + info.token_count * sizes.get(info.space_id, 0) for info in store.sessions()),
            default=0)
        buffer = cls()
        if 0 < longest <= _MOST_BYTES:
            buffer.prepare(longest)
        return buffer

    def prepare(self, byte_count: int) -> None:
        """Makes room for a state of `byte_count` bytes and has the system give the memory, on a thread of its own."""
        if len(self._view) >= byte_count:
            return
        self._take(byte_count)
        self._toucher = threading.Thread(
            target=_touch, args=(address_of(self._view), self._view.nbytes, self._stop), name="kvpager state buffer",
            daemon=True)  # fmt: skip
        self._toucher.start()

    def reserve(self, byte_count: int) -> memoryview:
        """A writable view of exactly `byte_count` bytes. What an earlier view showed is no longer meant."""
        if len(self._view) < byte_count:
            self._take(byte_count)
        return self._view[:byte_count]

    def whole(self) -> memoryview:
        """All that is there."""
        return self._view

    def _take(self, byte_count: int) -> None:
        self.close()
        # A conversation grows by little at a time: with some room to spare it stays in one place.
        size = byte_count + byte_count // 4
        self._view = kvpager.allocate(-(-size // _STEP_BYTES) * _STEP_BYTES)

    def close(self) -> None:
        """Gives the memory back, as soon as nobody looks at it any more."""
        if self._toucher is not None:
            self._stop.set()
            self._toucher.join()
            self._toucher = None
            self._stop = threading.Event()
        self._view = memoryview(b"")


def _touch(address: int, size: int, stop: threading.Event) -> None:
    """Has the system give memory before it is written to, without writing to it. Where it cannot, nothing is lost."""
    try:
        advise = ctypes.CDLL(None).madvise
    except AttributeError:
        return
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    first = -(-address // mmap.PAGESIZE) * mmap.PAGESIZE
    for offset in range(first, address + size - _TOUCH_BYTES, _TOUCH_BYTES):
        if stop.is_set() or advise(offset, _TOUCH_BYTES, _MADV_POPULATE_WRITE) != 0:
            return
