"""A session: a named sequence of tokens with their rows, which survives a restart."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Iterator, MutableMapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ._export import needed_size, options_text, written
from ._handle import Handle
from ._library import Sharing, ask_json, check, count_of, count_or_all, library, path_text, sharing_number, text
from ._memory import Buffer, TokenList, Tokens, address_of, bytes_of
from ._rows import PlaneRows
from ._tokens import tokens_of
from .info import SessionInfo, microseconds_from

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._export import ExportOptions
    from .space import Space
    from .state import State
    from .store import Store


class Session(Handle):
    """An open session, from `Space.create`, `Space.session` or `Store.session`.

    What was not committed is forgotten when it is closed. One process changes a session at a time: who commits second
    gets `Conflict`.
    """

    _kind = "session"
    _close_name = "kvpager_session_close"

    def __init__(self, store: Store, value: int, space: Space | None = None) -> None:
        super().__init__(value, store)
        self.store: Store = store
        self._space = space

    def __repr__(self) -> str:
        return f"<kvpager.Session{' closed' if self.closed else f' {self.name!r} of {self.token_count} tokens'}>"

    @property
    def space(self) -> Space:
        """The session's cache space."""
        if self._space is None or self._space.closed:
            from .space import Space

            value = ctypes.c_uint64()
            check(library().kvpager_session_space(self._value, ctypes.byref(value)))
            self._space = Space(self.store, value.value)
        return self._space

    @property
    def info(self) -> SessionInfo:
        """The session as it is now, uncommitted changes included."""
        return SessionInfo._from_json(ask_json(library().kvpager_session_describe, self._value))

    @property
    def name(self) -> str:
        """The name; `rename` changes it."""
        return self.info.name

    @property
    def token_count(self) -> int:
        """Tokens that the session holds."""
        return needed_size(
            lambda address, capacity, count: library().kvpager_session_tokens(self._value, address, capacity, count)
        )

    def __len__(self) -> int:
        return self.token_count

    def __bool__(self) -> bool:
        return True  # an empty session is a session

    @property
    def tokens(self) -> list[int]:
        """The tokens, a list of their own."""
        return tokens_of(library().kvpager_session_tokens, self._value)

    # ---- Rows

    def append(self, tokens: Tokens, planes: Iterable[Buffer], sharing: Sharing = "identity") -> None:
        """Appends tokens with their rows.

        planes: one buffer a plane, in the space's order, each with the rows of all `tokens`: flat bytes, or any view
        whose first axis is the tokens and whose other axes make a row (`[tokens, heads, dim]`; for a tensor
        `[heads, tokens, dim]` pass `tensor.transpose(1, 0, 2)`). Nothing is copied but into the store.
        sharing: how a block that the store has already (equal tokens before and in it) is met: by "identity" it is
        shared and the rows are not even looked at; by "content" only equal rows are shared.
        After an error the session holds the tokens of the blocks that were completed (`token_count`).
        """
        given = TokenList(tokens)
        rows = PlaneRows(self.space.planes, planes, given.count, writable=False)
        check(
            library().kvpager_session_append(
                self._value, given.address, given.count, rows.rows, rows.count, sharing_number(sharing)
            )
        )

    def take(self, state: State, sharing: Sharing = "identity") -> None:
        """Makes the session hold what an engine's state holds: the tokens that both have stay, those beyond them are
        cut off, and what the state has more is appended. Checkpoint and shape of the state become the session's. A
        state that does not tell its tokens only enters a space that `State.space` opened for such a one."""
        with state._in_use() as state_value:
            check(library().kvpager_session_take_state(self._value, state_value, sharing_number(sharing)))

    def read(self, planes: Iterable[Buffer | None], first: int = 0, count: int | None = None) -> None:
        """Copies the rows of `count` tokens (default: all that follow) from token `first` on.

        planes: one writable buffer a plane, as in `append`, or None where a plane's rows are not wanted.
        """
        first = count_of(first, "first")
        count = max(0, self.token_count - first) if count is None else count_of(count, "count")
        rows = PlaneRows(self.space.planes, planes, count, writable=True)
        check(library().kvpager_session_read(self._value, first, count, rows.rows, rows.count))

    def prefetch(self) -> None:
        """Starts loading the blocks into free RAM, without waiting."""
        check(library().kvpager_session_prefetch(self._value))

    # ---- The session as a whole

    def commit(self) -> None:
        """Returns when the session is on disk, synced. Raises `Conflict`, `QuotaFull`, `DiskFull`, `ReadOnly`."""
        check(library().kvpager_session_commit(self._value))

    def fork(self, name: str, tokens: int | None = None) -> Session:
        """Begins another session with this one's first `tokens` tokens (default: all), sharing their blocks. It is in
        the store from its own commit on. A session with a checkpoint can only be forked whole."""
        value = ctypes.c_uint64()
        count = count_or_all(tokens, "tokens")
        check(library().kvpager_session_fork(self._value, text(name, "name"), count, ctypes.byref(value)))
        return Session(self.store, value.value, self._space)

    def truncate(self, tokens: int) -> None:
        """Cuts the session back to its first `tokens` tokens; stored with the next commit. Not with a checkpoint."""
        check(library().kvpager_session_truncate(self._value, count_of(tokens, "tokens")))

    def rename(self, name: str) -> None:
        """Gives the session another name, in the store too where it was committed."""
        check(library().kvpager_session_rename(self._value, text(name, "name")))

    @property
    def metadata(self) -> MutableMapping[str, str]:
        """The caller's own texts by name; changes are stored with the next commit."""
        return _Metadata(self)

    @property
    def expires(self) -> datetime | None:
        """When `Store.collect_garbage` may delete the session; None for never. Stored with the next commit."""
        return self.info.expires

    @expires.setter
    def expires(self, time: datetime | None) -> None:
        microseconds = -1 if time is None else microseconds_from(time)
        check(library().kvpager_session_set_expiry(self._value, microseconds))

    @property
    def checkpoint(self) -> memoryview | None:
        """Opaque engine state that cannot be cut at a token (sliding windows, recurrent), or None; a copy.
        Setting it takes any contiguous buffer, or None; stored with the next commit."""

        def call(address: int | None, capacity: int, size: Any) -> int:
            status: int = library().kvpager_session_checkpoint(self._value, address, capacity, size)
            return status

        return written(call, None) or None

    @checkpoint.setter
    def checkpoint(self, state: Buffer | None) -> None:
        if state is None:
            check(library().kvpager_session_set_checkpoint(self._value, None, 0))
            return
        view = bytes_of(state, "the checkpoint")
        check(library().kvpager_session_set_checkpoint(self._value, address_of(view), view.nbytes))

    # ---- Export

    def export(
        self, tokens: int | None = None, into: Buffer | None = None, **options: Unpack[ExportOptions]
    ) -> memoryview:
        """The first `tokens` tokens (default: all) as an engine's state, which is written straight into memory.

        into: a writable contiguous buffer (`kvpager.allocate`); without one a fresh buffer is made. Returns a view of
        the bytes written. options: see `ExportOptions`; what is left out is as it was imported. A checkpoint is written
        only where the session is written whole. Raises `BufferTooSmall`, with nothing written.
        """
        return written(self._export_call(tokens, options), into)

    def export_size(self, tokens: int | None = None, **options: Unpack[ExportOptions]) -> int:
        """Bytes of what `export` writes."""
        return needed_size(self._export_call(tokens, options))

    def export_file(
        self, path: str | os.PathLike[str], tokens: int | None = None, **options: Unpack[ExportOptions]
    ) -> int:
        """As `export`, into a file that takes its name only when it is whole. Returns its bytes."""
        size = ctypes.c_int64()
        count = count_or_all(tokens, "tokens")
        check(
            library().kvpager_session_export_file(
                self._value, count, options_text(options), path_text(path), ctypes.byref(size)
            )
        )
        return size.value

    def _export_call(self, tokens: int | None, options: Any) -> Any:
        encoded = options_text(options)
        count = count_or_all(tokens, "tokens")

        def call(address: int | None, capacity: int, size: Any) -> int:
            status: int = library().kvpager_session_export(self._value, count, encoded, address, capacity, size)
            return status

        return call


class _Metadata(MutableMapping[str, str]):
    """A session's metadata: asked for each time, so that it is always the session's own."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _all(self) -> dict[str, str]:
        return dict(self._session.info.metadata)

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __setitem__(self, name: str, value: str) -> None:
        check(
            library().kvpager_session_set_metadata(self._session._value, text(name, "a name"), text(value, "a value"))
        )

    def __delitem__(self, name: str) -> None:
        if name not in self._all():
            raise KeyError(name)
        check(library().kvpager_session_set_metadata(self._session._value, text(name, "a name"), None))

    def __repr__(self) -> str:
        return repr(self._all())
