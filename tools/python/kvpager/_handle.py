"""The owner of one handle of the C interface: context manager, finalizer, and clear errors once it is closed.

Invariants: a handle is closed at most once; never after its store was closed, and never in a forked child.
"""

from __future__ import annotations

import os
import weakref
from types import TracebackType
from typing import TypeVar

from ._library import check, library
from .errors import Closed, Forked, InvalidHandle

_Self = TypeVar("_Self", bound="Handle")

_fork_count = 0


def _count_fork() -> None:
    global _fork_count
    _fork_count += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)


class _Slot:
    """The handle's number, apart from the object, so that a finalizer can close it when the object is gone."""

    __slots__ = ("values", "close_name", "forks", "parent")

    def __init__(self, value: int, close_name: str, parent: _Slot | None) -> None:
        self.values = [value]  # emptied by whoever closes it: list.pop() has one winner among threads
        self.close_name = close_name
        self.forks = _fork_count
        self.parent = parent

    def close(self) -> None:
        try:
            value = self.values.pop()
        except IndexError:
            return
        if self.forks == _fork_count and (self.parent is None or self.parent.values):
            check(getattr(library(), self.close_name)(value))

    def close_forgotten(self) -> None:
        try:
            self.close()
        except Exception:  # nobody is there to be told, and committed sessions are safe
            pass


class Handle:
    """What every object with a handle has: `close()`, `closed`, and use in a `with` statement.

    All methods may be called from any thread. An object that is dropped without `close()` is closed by the garbage
    collector, or at the interpreter's end; what is under way in other threads ends well.
    """

    _kind = "handle"  # as error messages name it
    _close_name = ""  # the C function that closes it
    _slot: _Slot

    def __init__(self, value: int, parent: Handle | None = None) -> None:
        self._slot = _Slot(value, self._close_name, parent._slot if parent is not None else None)
        self._finalizer = weakref.finalize(self, self._slot.close_forgotten)

    @property
    def _value(self) -> int:
        """The handle's number, for a call. Raises `Forked`, `InvalidHandle` or `Closed`."""
        slot = self._slot
        if slot.forks != _fork_count:
            raise Forked(f"this {self._kind} was opened before fork(): open the store anew in the child process")
        try:
            value = slot.values[0]
        except IndexError:
            raise InvalidHandle(f"this {self._kind} is closed: open it anew") from None
        if slot.parent is not None and not slot.parent.values:
            raise Closed(f"the store of this {self._kind} is closed: open the store anew")
        return value

    @property
    def closed(self) -> bool:
        """Whether it was closed, or its store was."""
        return not self._slot.values or (self._slot.parent is not None and not self._slot.parent.values)

    def close(self) -> None:
        """Gives the handle back. A second call does nothing."""
        self._finalizer.detach()
        self._slot.close()

    def __enter__(self: _Self) -> _Self:
        self._value  # noqa: B018  a closed one is told here
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
