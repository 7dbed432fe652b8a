"""A prefix: what a store holds of a token list, whoever stored it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ._export import needed_size, options_text, written
from ._handle import Handle
from ._library import ask_json, check, count_of, count_or_all, library
from ._memory import Buffer
from ._rows import PlaneRows

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._export import ExportOptions
    from .space import Space


class Prefix(Handle):
    """The longest stored prefix of some tokens, from `Space.find`. Truth is whether there is one: a miss is false.

    While it is open its blocks are not deleted by this process's quota; close it when the rows have been read.
    """

    _kind = "prefix"
    _close_name = "kvpager_prefix_close"

    def __init__(self, space: Space, value: int, tokens: list[int]) -> None:
        super().__init__(value, space.store)
        self.space: Space = space
        #: The tokens that were found.
        self.tokens: list[int] = tokens

    def __repr__(self) -> str:
        return f"<kvpager.Prefix of {len(self.tokens)} tokens{' closed' if self.closed else ''}>"

    def __bool__(self) -> bool:
        return bool(self.tokens)

    @property
    def token_count(self) -> int:
        """Tokens that were found, 0 for a miss."""
        return len(self.tokens)

    @property
    def description(self) -> dict[str, int]:
        """Counts: "tokens", "fullBlocks", "partialTokens" (of a block that only begins alike), "memoryBlocks"."""
        found: dict[str, int] = ask_json(library().kvpager_prefix_describe, self._value)
        return found

    def prefetch(self) -> None:
        """Starts loading the blocks into free RAM, without waiting."""
        check(library().kvpager_prefix_prefetch(self._value))

    def read(self, planes: Iterable[Buffer | None], first: int = 0, count: int | None = None) -> int:
        """Copies the rows of `count` tokens (default: all that follow) from token `first` on.

        planes: one writable buffer a plane, as in `Session.append`, or None where a plane's rows are not wanted.
        Returns the tokens copied: fewer than asked for where a block was lost since.
        """
        first = count_of(first, "first")
        count = max(0, self.token_count - first) if count is None else count_of(count, "count")
        rows = PlaneRows(self.space.planes, planes, count, writable=True)
        done = ctypes.c_int64()
        check(library().kvpager_prefix_read(self._value, first, count, rows.rows, rows.count, ctypes.byref(done)))
        return done.value

    def export(
        self, tokens: int | None = None, into: Buffer | None = None, **options: Unpack[ExportOptions]
    ) -> memoryview:
        """The first `tokens` tokens (default: all) as an engine's state; see `Session.export`."""
        return written(self._export_call(tokens, options), into)

    def export_size(self, tokens: int | None = None, **options: Unpack[ExportOptions]) -> int:
        """Bytes of what `export` writes."""
        return needed_size(self._export_call(tokens, options))

    def _export_call(self, tokens: int | None, options: Any) -> Any:
        encoded = options_text(options)
        count = count_or_all(tokens, "tokens")

        def call(address: int | None, capacity: int, size: Any) -> int:
            status: int = library().kvpager_prefix_export(self._value, count, encoded, address, capacity, size)
            return status

        return call
