"""The store's side: slot files that llama-server wrote go in, slot files that it can read come out.

All calls block and may come from any thread. Every failure comes out as `ShelfError`; after one that says that the
store itself is unusable, the store is closed, and opened again when some time has passed.
"""

# Invariants:
# - `_space` belongs to `_store`; both are there or neither is.
# - `_learned` is what the last state that came from the server told: what is written for the server has its shape.

from __future__ import annotations

import hashlib
import json
import logging
import mmap
import os
import threading
import time
import uuid
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import kvpager

from .appendix import find_appendix, is_whole

log = logging.getLogger("kvpager.server")

#: Names of the sessions that are this program's, and nobody else's.
SESSION_PREFIX = "llama-server/"
#: Seconds until a store that failed is tried again.
RETRY_SECONDS = 30.0
#: Tokens below which a state is not stored: computing them takes no longer than loading them.
LEAST_TOKENS = 8

_UNUSABLE = (
    kvpager.Damaged, kvpager.Closed, kvpager.NotAStore, kvpager.VersionTooNew, kvpager.InputOutput, kvpager.MapFull,
    kvpager.PermissionDenied, kvpager.Busy, kvpager.LibraryUnavailable, kvpager.Forked,
)  # fmt: skip


class ShelfError(Exception):
    """The store did not do it. `code` names the kind, as kvpager.Error's does."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class NotStorable(ShelfError):
    """The state is one that must not be stored, or that would be of no use."""

    def __init__(self, message: str) -> None:
        super().__init__("notStorable", message)


@dataclass(frozen=True)
class Identity:
    """What makes two caches the same: the weights, adapters, the server's settings that change values, a salt."""

    model: str
    adapter: str = ""
    settings: Mapping[str, str] = None  # type: ignore[assignment]
    salt: str = ""


@dataclass(frozen=True)
class _Learned:
    shape: Mapping[str, Any]
    state_settings: Mapping[str, str]
    planes: tuple[kvpager.Plane, ...]
    cuttable: bool


@dataclass(frozen=True)
class Found:
    """What the store holds of a prompt: its tokens, and the session that holds them where they cannot be cut."""

    token_count: int
    session: Optional[str] = None


class Shelf:
    """Conversations in a store. `path` is its folder; memory and quota as `kvpager.Store` has them."""

    def __init__(self, path: str, memory: int | str, quota: int | str | None, identity: Identity) -> None:
        self.path = path
        self._memory = memory
        self._quota = quota
        self._identity = identity
        self._lock = threading.RLock()
        self._store: Optional[kvpager.Store] = None
        self._space: Optional[kvpager.Space] = None
        self._learned: Optional[_Learned] = None
        self._retry_at = 0.0
        self._closed = False

    # ---- Opening and closing

    @property
    def ready(self) -> bool:
        """Whether the server's states are known, so that something can be found."""
        return self._learned is not None

    def close(self) -> None:
        """Closes the store for good."""
        with self._lock:
            self._closed = True
            self._drop()

    def open(self) -> None:
        """Opens the store where it is not open. Raises `ShelfError`."""
        with self._failures(), self._lock:
            self._opened()

    def identify(self, identity: Identity) -> None:
        """Changes what the states belong to (an adapter was switched)."""
        with self._lock:
            self._identity = identity
            self._forget_space()

    def _opened(self) -> kvpager.Store:
        with self._lock:
            if self._closed:
                raise ShelfError("closed", "the store is closed")
            if self._store is None:
                if time.monotonic() < self._retry_at:
                    raise ShelfError("closed", "the store failed a moment ago and is not open")
                self._retry_at = time.monotonic() + RETRY_SECONDS
                self._store = kvpager.Store(self.path, memory=self._memory, quota=self._quota)
                self._retry_at = 0.0
            return self._store

    def _opened_space(self) -> kvpager.Space:
        with self._lock:
            store = self._opened()
            if self._space is None:
                if self._learned is None:
                    raise ShelfError("notReady", "no state of llama-server was seen yet")
                one = self._identity
                settings = {**(one.settings or {}), **self._learned.state_settings}
                if not self._learned.cuttable:  # written as it was imported: for a context of that shape only
                    shape = {name: self._learned.shape[name] for name in sorted(self._learned.shape)
                             if name not in ("sequence", "stream")}  # fmt: skip
                    settings["llama-server shape"] = json.dumps(shape)
                self._space = store.space(one.model, self._learned.planes, one.adapter, settings, one.salt)
            return self._space

    def _forget_space(self) -> None:
        space, self._space = self._space, None
        if space is not None:
            space.close()

    def _drop(self) -> None:
        store, self._store = self._store, None
        try:
            self._forget_space()
            if store is not None:
                store.close()
        except kvpager.Error as error:
            log.warning("the store could not be closed cleanly: %s", error)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Turns what the store and the files raise into `ShelfError`s, and closes a store that is unusable."""
        try:
            yield
        except kvpager.Error as error:
            if isinstance(error, _UNUSABLE):
                with self._lock:
                    self._retry_at = time.monotonic() + RETRY_SECONDS
                    self._drop()
            raise ShelfError(error.code, str(error)) from error
        except OSError as error:
            raise ShelfError("inputOutput", str(error)) from error

    # ---- In

    def learn(self, file: Path) -> int:
        """Learns from a slot file what the server's states are like. Returns its tokens."""
        with self._failures(), _state_in(file) as (state, _):
            learned = _Learned(state.shape, dict(state.settings), state.planes, state.can_be_cut)
            with self._lock:
                if learned != self._learned:
                    self._forget_space()
                self._learned = learned
            return state.token_count

    def keep(self, file: Path, prompt: Sequence[int]) -> list[int]:
        """Stores a slot file's state, durably. prompt: what the slot computed last, with which the state's tokens begin
        (or end in, where the work was broken off). Returns the state's tokens. Raises `NotStorable`, `ShelfError`.
        """
        with self._failures(), _state_in(file) as (state, appendix):
            tokens = state.tokens
            common = min(len(tokens), len(prompt))
            if tokens[:common] != list(prompt[:common]):
                raise NotStorable("the slot's tokens are not those of its prompt: its context was shifted")
            if common < LEAST_TOKENS:
                raise NotStorable(f"only {common} tokens of the prompt were computed")
            if not state.can_be_cut and appendix is None:
                raise NotStorable(
                    "this llama-server writes sliding-window states without their context checkpoints and could not go "
                    "on from them: use a newer llama-server, without --swa-full and with --ctx-checkpoints above 0"
                )
            space, store = self._opened_space(), self._opened()
            if state.can_be_cut:
                self._making_room(store, lambda: space.insert_state(state))
                self._making_room(store, store.write_back)
            else:
                assert appendix is not None
                self._keep_session(store, space, state, tokens, appendix)
            return tokens

    def _keep_session(
        self, store: kvpager.Store, space: kvpager.Space, state: kvpager.State, tokens: list[int], appendix: bytes
    ) -> None:
        """Stores a state that cannot be cut: as the session of the conversation that it goes on with, or a new one.

        The appendix has a session of its own, without tokens, which is there before the state names it.
        """
        before = self._own(space.longest_checkpoint(tokens))
        name = before or f"{SESSION_PREFIX}{uuid.uuid4().hex}"
        companion = f"{name}/{uuid.uuid4().hex[:8]}"

        def keep_companion() -> None:
            with self._appendix_space(store) as side, side.create(companion) as session:
                session.checkpoint = appendix
                session.commit()

        def keep_state() -> None:
            with space.session(name) if before else space.create(name) as session:
                session.take(state)
                session.metadata["appendix"] = companion
                session.metadata["tokens"] = _digest(tokens)
                session.commit()

        self._making_room(store, keep_companion, keeping=name)
        self._making_room(store, keep_state, keeping=name)
        self._delete_companions(store, name, but=companion)

    def _making_room(self, store: kvpager.Store, action: Callable[[], None], keeping: str = "") -> None:
        """Runs an action; where the quota is full, the oldest sessions of this program leave first, one by one."""
        while True:
            try:
                action()
                return
            except kvpager.QuotaFull:
                own = [one for one in store.sessions() if _is_conversation(one.name) and one.name != keeping]
                if not own:
                    raise
                oldest = min(own, key=lambda one: one.updated.timestamp() if one.updated else 0.0)
                log.info("the quota is full: the conversation %s leaves", oldest.name)
                store.space_by_id(oldest.space_id).delete(oldest.name)
                self._delete_companions(store, oldest.name)
                store.collect_garbage()

    def _delete_companions(self, store: kvpager.Store, name: str, but: str = "") -> None:
        for one in store.sessions():
            if one.name.startswith(f"{name}/") and one.name != but:
                store.space_by_id(one.space_id).delete(one.name)

    def _appendix_space(self, store: kvpager.Store) -> kvpager.Space:
        return store.space("kvpager-llama-server appendix", [kvpager.Plane("keys", 0, "raw", 1)])

    @staticmethod
    def _own(name: Optional[str]) -> Optional[str]:
        return name if name is not None and name.startswith(SESSION_PREFIX) else None

    # ---- Out

    def find(self, tokens: Sequence[int]) -> Found:
        """What the store holds of a prompt; no tokens for a miss."""
        with self._failures():
            space = self._opened_space()
            assert self._learned is not None
            if not self._learned.cuttable:
                name = self._own(space.longest_checkpoint(tokens))
                if name is None:
                    return Found(0)
                with space.session(name) as session:
                    return Found(session.token_count, name)
            with space.find(tokens) as prefix:
                return Found(prefix.token_count)

    def write(
        self, found: Found, tokens: Sequence[int], file: Path, has_room: Callable[[int], bool] = lambda size: True
    ) -> list[int]:
        """Writes what was found of a prompt as a slot file. Returns the tokens that it holds."""
        with self._failures():
            space = self._opened_space()
            assert self._learned is not None
            if found.session is None:
                with space.find(tokens[: found.token_count]) as prefix:
                    size = prefix.export_size(**self._learned.shape)
                    _demand_room(has_room, size)
                    with _mapped(file, size) as buffer:
                        prefix.export(into=buffer, **self._learned.shape)
                    return list(prefix.tokens)
            with space.session(found.session) as session:
                held = session.tokens
                appendix = self._appendix_of(session, held)
                if list(tokens[: len(held)]) != held or appendix is None:
                    raise ShelfError("notFound", "the conversation's stored state is not whole")
                size = session.export_size()
                _demand_room(has_room, size + len(appendix))
                with _mapped(file, size + len(appendix)) as buffer:
                    session.export(into=buffer[:size])
                    buffer[size:] = appendix
                return held

    def _appendix_of(self, session: kvpager.Session, tokens: list[int]) -> Optional[memoryview]:
        """The appendix that belongs to a session, None where it is missing or another state's."""
        metadata = dict(session.metadata)
        if metadata.get("tokens") != _digest(tokens) or "appendix" not in metadata:
            return None
        try:
            with self._appendix_space(session.store) as side, side.session(metadata["appendix"]) as companion:
                appendix = companion.checkpoint
        except kvpager.NotFound:
            return None
        return appendix if appendix is not None and is_whole(appendix) else None

    def statistics(self) -> Mapping[str, Any]:
        """The store's own statistics."""
        with self._failures():
            return self._opened().statistics()


def _is_conversation(name: str) -> bool:
    return name.startswith(SESSION_PREFIX) and "/" not in name[len(SESSION_PREFIX) :]


def _demand_room(has_room: Callable[[int], bool], size: int) -> None:
    if not has_room(size):
        raise ShelfError("diskFull", f"the folder of the slot files has no room for {size} bytes")


def _digest(tokens: Sequence[int]) -> str:
    return hashlib.sha256(array("i", tokens).tobytes()).hexdigest()


@contextmanager
def _state_in(file: Path) -> Iterator[tuple[kvpager.State, Optional[bytes]]]:
    """The state in a slot file, and its appendix with the newest checkpoint alone."""
    with file.open("rb") as opened:
        if os.fstat(opened.fileno()).st_size == 0:
            raise NotStorable("the slot's file is empty")
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY) as mapped, memoryview(mapped) as view:
            try:
                state, appendix = kvpager.State(view), None
            except kvpager.Malformed:
                found = find_appendix(view)
                if found is None:
                    raise
                state, appendix = kvpager.State(view[: found.offset]), found.newest(view)
            with state:
                yield state, appendix


@contextmanager
def _mapped(file: Path, size: int) -> Iterator[memoryview]:
    """A new file of `size` bytes, as memory to write into."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size) if hasattr(os, "posix_fallocate") else os.ftruncate(descriptor, size)
        with mmap.mmap(descriptor, size) as mapped, memoryview(mapped) as view:
            yield view
    finally:
        os.close(descriptor)
