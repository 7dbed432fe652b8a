"""The conversations in a store: opened, saved, listed, forked, and held by one chat at a time."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from time import perf_counter

import kvpager

from ..llama import SessionPager
from .conversation import METADATA_KEY, Conversation
from .errors import ChatError
from .model import Context

_log = logging.getLogger("kvpager.chat")


def default_folder() -> Path:
    """Where conversations are kept: kvpager/chat in `XDG_DATA_HOME`, else in ~/.local/share."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "kvpager" / "chat"


@dataclass
class Return:
    """How a conversation came back into the context."""

    token_count: int
    """Tokens that need no computing."""
    seconds: float
    store_seconds: float = 0.0
    """kvpager's own share of them."""
    engine_seconds: float = 0.0
    failure: str = ""
    """Why the store could not give all of it."""


def conversations(store: kvpager.Store) -> list[kvpager.SessionInfo]:
    """The store's conversations, the one that was changed last first."""
    found = [info for info in store.sessions() if METADATA_KEY in info.metadata]
    return sorted(found, key=changed, reverse=True)


def changed(info: kvpager.SessionInfo) -> datetime:
    """When a conversation was changed last."""
    return info.updated or datetime.fromtimestamp(0, timezone.utc)


def known_speed(store: kvpager.Store, model: str) -> tuple[int, float]:
    """Tokens and seconds of the largest piece of prompt that any conversation with this model computed at one time."""
    known = (0, 0.0)
    for info in conversations(store):
        try:
            conversation = Conversation.from_text(info.metadata[METADATA_KEY], [])
        except ChatError:
            continue
        if conversation.model == model:
            known = max(known, conversation.speed)
    return known


def opened(store: kvpager.Store, name: str) -> kvpager.Session:
    """A conversation's session. Where it was just moving to other settings when its chat was killed, there are two of
    that name, and the later one is meant. Raises kvpager.NotFound."""
    same = [info for info in store.sessions() if info.name == name]
    if len(same) < 2:
        return store.session(name)
    with store.space_by_id(max(same, key=changed).space_id) as space:
        return space.session(name)


def fork(store: kvpager.Store, name: str, copy: str) -> None:
    """Begins the conversation `copy` as `name` is now. The two share what they have in common."""
    refuse_taken(store, copy)
    with opened(store, name) as session, session.fork(copy) as other:
        other.commit()


def refuse_taken(store: kvpager.Store, name: str) -> None:
    if any(info.name == name for info in store.sessions()):
        raise ChatError(f'there is a session "{name}" already: go on with it (--session {name}), or take another name')


@contextmanager
def held_alone(folder: Path, name: str) -> Iterator[None]:
    """Keeps other chats away from a conversation: two that write answers to it would take each other's away.

    A lock of the operating system, which ends with the process, however that ends.
    """
    path = folder / f"chat-{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"
    with open(path, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ChatError(
                f'the conversation "{name}" is open in another chat (process {file.read().strip() or "unknown"}): end '
                f"that one, or go on beside it with a copy (--session {name} --fork NAME), or begin another (--new)"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


class Keeper:
    """One conversation's session, and the context that it comes back into."""

    def __init__(self, store: kvpager.Store, context: Context, name: str) -> None:
        self.store, self.context, self.name = store, context, name
        self.pager = SessionPager(store, context.engine)
        self._moves = False  # the session was computed under other settings, and is replaced by the next save

    def bring_back(self, conversation: Conversation) -> Return:
        """Puts what the store has of a conversation into the context."""
        started = perf_counter()
        failure = ""
        try:
            held = self.pager.resume(self.name)
            if held != conversation.tokens[: len(held)]:
                raise kvpager.Conflict("another program changed the session meanwhile")
        except kvpager.Error as error:
            failure = error.message
            self._moves = isinstance(error, kvpager.NotFound)
            self.pager.warm(conversation.tokens)
            if isinstance(error, (kvpager.BlockLost, kvpager.Damaged)):
                self._cut_session(conversation)
        if self.context.held == len(conversation.tokens) and conversation.answer_from is not None:
            self.pager.warm(conversation.tokens)  # leaves out the last token, without which nothing can be chosen
        return self._returned(started, failure)

    def _cut_session(self, conversation: Conversation) -> None:
        """Ends the session before a block that is lost, so that the next save stores its tokens' rows anew. The words
        stay, and the tokens with them."""
        try:
            with opened(self.store, self.name) as session:
                session.truncate(min(session.token_count, self.context.held))
                session.metadata[METADATA_KEY] = conversation.to_text(session.token_count)
                session.commit()
        except kvpager.Error as error:
            _log.warning("the session stays without the lost block: %s", error.message)

    def warm(self, conversation: Conversation) -> Return:
        """Puts what any session has of a new conversation's beginning into the context."""
        started = perf_counter()
        self.pager.warm(conversation.tokens)
        return self._returned(started, "")

    def _returned(self, started: float, failure: str) -> Return:
        last = self.pager.last
        return Return(self.context.held, perf_counter() - started, last.export_seconds, last.set_seconds, failure)

    def save(self, conversation: Conversation) -> float:
        """Makes what the context holds, and the conversation, durable. Returns the seconds. Raises kvpager.Error."""
        started = perf_counter()
        self.pager.save(self.name, None, **{METADATA_KEY: conversation.to_text(self.context.held)})
        if self._moves:
            same = [info for info in self.store.sessions() if info.name == self.name]
            for info in sorted(same, key=changed)[:-1]:
                with self.store.space_by_id(info.space_id) as space:
                    space.delete(self.name)
            self._moves = False
        return perf_counter() - started

    def save_words(self, conversation: Conversation) -> None:
        """As `save`, before anything new was computed: the words alone. Nothing for a session that is not there yet."""
        if not any(info.name == self.name for info in self.store.sessions()):
            return
        with opened(self.store, self.name) as session:
            if session.token_count != self.context.held:
                return
            session.metadata[METADATA_KEY] = conversation.to_text(self.context.held)
            session.commit()

    def __enter__(self) -> Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        self.pager.close()


def read_conversation(store: kvpager.Store, name: str) -> Conversation | None:
    """A conversation as it was saved last; None where the store has no session of that name. Raises ChatError where it
    is no conversation."""
    try:
        session = opened(store, name)
    except kvpager.NotFound:
        return None
    with session:
        text = session.metadata.get(METADATA_KEY)
        if text is None:
            raise ChatError(f'the session "{name}" was not made by a chat: take another name with --session')
        return Conversation.from_text(text, session.tokens)
