"""A cache space: what is stored under one model, layout and salt."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ._handle import Handle
from ._library import Sharing, ask_json, check, library, sharing_number, take_text, text
from ._memory import Buffer, TokenList, Tokens
from ._rows import PlaneRows
from .errors import InvalidArgument
from .plane import Plane

if TYPE_CHECKING:
    from .prefix import Prefix
    from .session import Session
    from .state import State
    from .store import Store


class Space(Handle):
    """An open cache space, from `Store.space` or `State.space`."""

    _kind = "cache space"
    _close_name = "kvpager_space_close"

    def __init__(self, store: Store, value: int) -> None:
        super().__init__(value, store)
        self.store: Store = store

    def __repr__(self) -> str:
        return f"<kvpager.Space{' closed' if self.closed else f' {self.id} of {self.store.path!r}'}>"

    @cached_property
    def description(self) -> dict[str, Any]:
        """The descriptor, whole, with "id", "root" (hexadecimal) and "tokenBytes" (what one token's rows take)."""
        found: dict[str, Any] = ask_json(library().kvpager_space_describe, self._value)
        return found

    @cached_property
    def planes(self) -> tuple[Plane, ...]:
        """The planes, in the order in which their rows are given."""
        return tuple(Plane.from_descriptor(plane) for plane in self.description["planes"])

    @property
    def id(self) -> int:
        """The space's number in its store."""
        return int(self.description["id"])

    @property
    def model(self) -> str:
        """The model's label or digest."""
        return str(self.description["model"])

    @property
    def block_tokens(self) -> int:
        """Tokens in a block."""
        return int(self.description["blockTokens"])

    @property
    def token_bytes(self) -> int:
        """Bytes that one token's rows take, all planes together."""
        return int(self.description["tokenBytes"])

    def find(self, tokens: Tokens) -> Prefix:
        """The longest stored prefix of `tokens`, from any session, process or run. A miss is a prefix of no tokens.

        While it is open its blocks are not deleted by this process's quota.
        """
        from .prefix import Prefix

        wanted = TokenList(tokens)
        value, count = ctypes.c_uint64(), ctypes.c_int64()
        check(
            library().kvpager_prefix_find(
                self._value, wanted.address, wanted.count, ctypes.byref(value), ctypes.byref(count)
            )
        )
        return Prefix(self, value.value, wanted.first(count.value))

    def insert(self, tokens: Tokens, planes: Iterable[Buffer], sharing: Sharing = "identity") -> None:
        """Stores rows as cache, without a session: `find` finds them while the quota lets them stay.

        planes: as in `Session.append`. They are durable after `Store.write_back` or a commit of any session.
        """
        given = TokenList(tokens)
        rows = PlaneRows(self.planes, planes, given.count, writable=False)
        check(
            library().kvpager_space_insert(
                self._value, given.address, given.count, rows.rows, rows.count, sharing_number(sharing)
            )
        )

    def insert_state(self, state: State, sharing: Sharing = "identity") -> None:
        """As `insert`, with the tokens and rows of an engine's state; where it does not tell its tokens, only in a
        space that `State.space` opened for such a one."""
        with state._in_use() as state_value:
            check(library().kvpager_space_insert_state(self._value, state_value, sharing_number(sharing)))

    def longest_checkpoint(self, tokens: Tokens) -> str | None:
        """The name of the committed session with a checkpoint that has the most tokens, all of which stand at the
        beginning of `tokens`; None where there is none.

        A model whose state cannot be cut at a token (sliding windows, recurrent) may be resumed from that one.
        """
        wanted = TokenList(tokens)
        name = ctypes.c_void_p()
        check(library().kvpager_space_longest_checkpoint(self._value, wanted.address, wanted.count, ctypes.byref(name)))
        return take_text(name)

    def create(self, name: str, prefix: Prefix | None = None, tokens: Tokens | None = None) -> Session:
        """Begins a session, which is in the store from its first commit on.

        prefix: the session begins with its tokens. tokens: a list that begins with them (default: the prefix's own).
        """
        from .session import Session

        if prefix is None and tokens is not None:
            raise InvalidArgument("tokens are for a prefix: append those that have rows")
        begin = TokenList(() if prefix is None else prefix.tokens if tokens is None else tokens)
        value = ctypes.c_uint64()
        check(
            library().kvpager_session_create(
                self._value, text(name, "name"), 0 if prefix is None else prefix._value, begin.address, begin.count,
                ctypes.byref(value),
            )
        )  # fmt: skip
        return Session(self.store, value.value, self)

    def session(self, name: str) -> Session:
        """Resumes a committed session of this space. Raises `NotFound`."""
        from .session import Session

        value = ctypes.c_uint64()
        check(library().kvpager_space_resume(self._value, text(name, "name"), ctypes.byref(value)))
        return Session(self.store, value.value, self)

    def delete(self, name: str) -> None:
        """Deletes a committed session of this space. Its blocks stay as cache while the quota lets them."""
        check(library().kvpager_space_delete_session(self._value, text(name, "name")))
