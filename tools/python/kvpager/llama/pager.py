"""Conversations of one llama.cpp context in a store: save, resume, and prompts warmed from whatever is stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import kvpager

from .buffer import StateBuffer
from .context import ContextStates, Refused, token_list
from .engine import Engine
from .llama_cpp_python import LlamaCppEngine
from .shape import options_from
from .spaces import EngineSpace, EngineSpaces, Found

_log = logging.getLogger("kvpager.llama")

# Damage is found when a block is read. A look-up after that ends before it.
_LOST = (kvpager.Damaged, kvpager.BlockLost)
_LOOK_UPS = 3


@dataclass
class Reuse:
    """What the last `warm` or `resume` did."""

    tokens: int = 0
    """Tokens in the context afterwards, none of them computed."""
    source: str = "none"
    """"context": it held them already. "store": they came from there. "none": all is to be computed."""
    session: str | None = None
    byte_count: int = 0
    """Bytes of the state that was given to the engine."""
    export_seconds: float = 0.0
    """kvpager's own share: blocks read, checked, decoded and written as a state."""
    set_seconds: float = 0.0
    """The engine's share: llama_state_seq_set_data."""


class SessionPager:
    """Keeps what one context computes in a store and puts it back.

        pager = SessionPager(store, llm)
        count = pager.warm(prompt)        # the first `count` tokens of the prompt are in the context
        llm.eval(prompt[count:])          # only the rest is computed
        pager.save("monday")              # durable: a kill may come
        ...
        pager.resume("monday")            # in another process, whole

    Prefixes are shared between sessions, processes and runs, by what they were computed from: the tokens, the model's
    weights and the settings that change values. Models whose state cannot be cut at a token (sliding windows, recurrent
    memories) are resumed whole, from a session's checkpoint, and never cut back.

    A pager is used by one thread at a time, as its context is; several pagers may share one store.
    """

    def __init__(
        self, store: kvpager.Store, engine: Any, *, salt: str = "", settings: Mapping[str, str] | None = None,
        block_tokens: int = 64, model: str | None = None, buffer: StateBuffer | None = None,
    ) -> None:  # fmt: skip
        """
        store: an open store; it stays the caller's.
        engine: a `llama_cpp.Llama`, or any `Engine`.
        salt: keeps tenants apart. settings: more settings that change values, beside those that the engine tells.
        block_tokens: tokens in a block. model: what the weights are, where a Llama's file is not to be hashed.
        buffer: memory asked for while the model was loading (`StateBuffer.ready_for`); the pager's from now on.
        """
        self.store = store
        self.engine: Engine = engine if isinstance(engine, Engine) else LlamaCppEngine(engine, model=model)
        self.states = ContextStates(self.engine, buffer)
        self.spaces = EngineSpaces(
            store, self.engine, salt=salt, settings=settings or {}, block_tokens=block_tokens)
        self.last = Reuse()
        self._prepare()

    def _prepare(self) -> None:
        """Has ready what the first `warm` or `resume` would else wait for. Nothing of it is needed."""
        try:
            byte_count = self.spaces.longest_state_bytes()
            if self.states.held == []:
                self.states.look()
            if byte_count > 0:
                self.states.buffer.prepare(byte_count)
        except kvpager.Error as error:
            _log.warning("the store fails: %s", error)

    # Saving

    def save(self, session: str, tokens: Sequence[int] | None = None, **metadata: str) -> int:
        """Makes the session `session` hold what the context holds; it is on disk when this returns.

        What the session or the store has already is not stored again. `tokens` are those that the context holds, where
        the engine does not know them itself. `metadata` are texts of the caller's own. Returns the session's tokens.
        Raises kvpager.Error: quotaFull, invalidArgument where the context does not hold these tokens, ...
        """
        held = self._held(tokens)
        with self.states.take(held) as state:
            home = self.spaces.home_of(state)
            moves = self.spaces.with_session(session, besides=home)
            with self._record(home, session) as record:
                if home.wholeness == "opaque":
                    self._take_opaque(record, held)
                else:
                    record.take(state)
                if moves is not None:
                    self._inherit(record, moves)
                for name, value in metadata.items():
                    record.metadata[name] = value
                record.commit()
            if moves is not None:
                moves.space.delete(session)
        return len(held)

    @staticmethod
    def _record(home: EngineSpace, name: str) -> kvpager.Session:
        try:
            return home.space.session(name)
        except kvpager.NotFound:
            return home.space.create(name)

    @staticmethod
    def _inherit(record: kvpager.Session, moves: EngineSpace) -> None:
        """Computed under another version of llama.cpp, a session moves to where its rows now belong, with what was said
        of it. What it was is deleted when that is on disk."""
        with moves.space.session(record.name) as before:
            for name, value in before.metadata.items():
                record.metadata[name] = value
            record.expires = before.expires

    def _take_opaque(self, record: kvpager.Session, tokens: Sequence[int]) -> None:
        """A memory without rows: the tokens stand with rows of one byte, and the whole state is the checkpoint."""
        known = list(record.tokens)
        common = common_prefix(known, tokens)
        record.checkpoint = None
        if common < len(known):
            record.truncate(common)
        rest = list(tokens[common:])
        if rest:
            record.append(rest, [bytes(len(rest))])
        record.checkpoint = bytes(self.states._copy())

    def remember(self, tokens: Sequence[int] | None = None) -> int:
        """Keeps what the context holds as cache, without a session: the quota may delete it.

        Returns the tokens kept; 0 for a model whose state cannot be cut, which needs a session.
        """
        held = self._held(tokens)
        with self.states.take(held) as state:
            home = self.spaces.home_of(state)
            if home.wholeness:
                return 0
            home.space.insert_state(state)
        return len(held)

    def _held(self, tokens: Sequence[int] | None) -> list[int]:
        held = self.states.held if tokens is None else token_list(tokens)
        if held is None:
            raise kvpager.InvalidArgument("the engine does not know what its context holds: name the tokens")
        if not held:
            raise kvpager.InvalidArgument("the context is empty: there is nothing to save")
        return held

    # Resuming

    def resume(self, session: str) -> list[int]:
        """Puts a saved session into the context, whole, and returns its tokens.

        The logits of its last token are not part of it: what comes next must be computed, behind exactly these tokens
        (for a prompt that may leave them on the way, `warm` it). Raises kvpager.NotFound where there is no such session
        of this model, adapter, settings and salt; kvpager.Error where the store fails; the context then holds nothing
        or what it held.
        """
        home = self.spaces.with_session(session)
        if home is None:
            raise self._not_found(session)
        try:
            return self._put_session(home, session)
        except Refused as refusal:
            if home.wholeness or not self._probe():
                raise kvpager.InvalidArgument(
                    f'the context does not take the session "{session}" ({refusal}): it was saved from a context of '
                    "another kind (n_seq_max, kv_unified, version of llama.cpp)") from None
            try:
                return self._put_session(home, session)
            except Refused as again:
                raise kvpager.InvalidArgument(f'the context does not take the session "{session}": {again}') from None

    def _not_found(self, session: str) -> kvpager.NotFound:
        others = [info for info in self.store.sessions() if info.name == session]
        if not others:
            return kvpager.NotFound(f'the store has no session "{session}"')
        return kvpager.NotFound(
            f'the session "{session}" was computed by another model, adapter or settings, or under another salt: open '
            "the context as it was then")

    def _put_session(self, home: EngineSpace, name: str, expected: list[int] | None = None) -> list[int]:
        """Returns the session's tokens, which must be the expected ones."""
        with home.space.session(name) as record:
            tokens = record.tokens
            if expected is not None and tokens != expected:
                raise Refused("another process changed the session meanwhile")
            if home.wholeness == "opaque":
                self._put_opaque(tokens, record.checkpoint or memoryview(b""))
            else:
                # A whole state is written as it was taken, or not at all.
                options = {} if home.wholeness else self._options(home)
                self._put(
                    tokens, lambda: record.export_size(**options),
                    lambda buffer: record.export(into=buffer, **options))
        self.last.session = name
        return tokens

    def _put_opaque(self, tokens: list[int], state: memoryview) -> None:
        def write(buffer: memoryview) -> memoryview:
            if buffer.nbytes < state.nbytes:
                raise kvpager.BufferTooSmall("the checkpoint is larger than the buffer")
            buffer[: state.nbytes] = state
            return buffer[: state.nbytes]

        self._put(tokens, lambda: state.nbytes, write)

    # Warming

    def warm(self, prompt_tokens: Sequence[int]) -> int:
        """Makes the context hold the longest beginning of a prompt that needs no computing; returns its tokens.

        Afterwards the context holds exactly `prompt_tokens[:count]`, and the caller computes `prompt_tokens[count:]`,
        which is never empty: the last token must be computed for its logits. What the context holds already is kept
        where it is longer than what is stored. A store that fails is a miss, and the log says so.
        """
        self.last = Reuse()
        prompt = token_list(prompt_tokens)
        limit = max(0, min(len(prompt), self.engine.context_tokens) - 1)
        kept = self._kept(prompt, limit)[0]
        for _ in range(_LOOK_UPS):
            count = self._warm_from_store(prompt, limit, kept)
            if count is not None:
                break
        return count or self._keep(prompt, limit)

    def _warm_from_store(self, prompt: list[int], limit: int, kept: int) -> int | None:
        """Tokens that came from the store, 0 where nothing there is of use. None: it is worth another look, since a
        block that was found could not be read, and is not found again."""
        found: list[Found] = []
        try:
            found = self.spaces.find(prompt[:limit])
            for hit in found:
                if hit.token_count > kept and self._put_found(hit, prompt):
                    return hit.token_count
            return 0
        except _LOST as error:
            _log.warning("%d stored tokens cannot be read: %s", found[0].token_count if found else 0, error)
            return None
        except kvpager.Error as error:
            _log.warning("the store fails, the prompt is computed: %s", error)
            return 0
        finally:
            for hit in found:
                hit.close()

    def _kept(self, prompt: list[int], limit: int) -> tuple[int, bool]:
        """How many tokens of the prompt the context holds already, and whether it must be cut back to them."""
        held = self.states.held
        if not held or self.states.has_lost(held):
            return 0, held != []
        common = min(common_prefix(held, prompt), limit)
        if common == len(held):
            return common, False
        return (common if common and self.states.can_be_cut() else 0), True

    def _keep(self, prompt: list[int], limit: int) -> int:
        kept, must_cut = self._kept(prompt, limit)  # a state that was refused has emptied the context
        if kept and (not must_cut or self.states.cut(kept)):
            self.last = Reuse(kept, "context")
            return kept
        if must_cut:
            held = self.states.held or []
            if common_prefix(held, prompt) and not self.states.has_lost(held) and not self.states.can_be_cut():
                _log.info(
                    "the context is cleared: its state cannot be cut back (sliding window or recurrent memory), and "
                    "the prompt leaves it after %d of %d tokens", common_prefix(held, prompt), len(held))
            self.states.clear()
        return 0

    def _put_found(self, hit: Found, prompt: list[int]) -> bool:
        for attempt in range(2):
            try:
                if hit.session is not None:
                    self._put_session(hit.home, hit.session, prompt[: hit.token_count])
                else:
                    self._put_prefix(hit, prompt)
                return True
            except Refused as refusal:
                _log.info("%s", refusal)
                if hit.session is not None or attempt or not self._probe(prompt[0]):
                    return False
        return False

    def _put_prefix(self, hit: Found, prompt: list[int]) -> None:
        prefix = hit.prefix
        assert prefix is not None
        options = self._options(hit.home)
        tokens = prompt[: hit.token_count]
        self._put(
            tokens, lambda: prefix.export_size(**options), lambda buffer: prefix.export(into=buffer, **options))

    def _put(self, tokens: list[int], size: Callable[[], int], write: Callable[[memoryview], memoryview]) -> None:
        self.states.put(tokens, size, write)
        self.last = Reuse(
            len(tokens), "store", byte_count=self.states.put_bytes, export_seconds=self.states.write_seconds,
            set_seconds=self.states.set_seconds)

    def _options(self, home: EngineSpace) -> dict[str, Any]:
        """How a state for this context is written. Refused where the space's rows cannot be."""
        shape = self.states.shape
        if shape is None:
            if self.states.seen is None:
                self.states.look()
            shape = self.states.shape
        if shape is None:
            assert self.states.seen is not None
            return options_from(home.settings, self.engine, self.states.seen)
        if not shape.takes(home.description):
            raise Refused("the stored rows are of another type or rotation than this context's")
        return dict(shape.options)

    def _probe(self, token: int = 0) -> bool:
        """Sees what a state of this context looks like, by computing one. False where that was known, or cannot be."""
        if self.states.shape is not None:
            return False
        _log.info("a token is computed to see what a state of this context looks like")
        return self.states.probe(token)

    def close(self) -> None:
        """Gives the buffer and the handles back. The store and the engine stay the caller's."""
        self.states.close()
        self.spaces.close()

    def __enter__(self) -> SessionPager:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def common_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """How many items both begin with."""
    count = min(len(first), len(second))
    low = 0
    while low < count:  # in strides, since most of it is equal as a rule
        high = min(count, low + 256)
        if list(first[low:high]) == list(second[low:high]):
            low = high
            continue
        return low + next(i for i, (a, b) in enumerate(zip(first[low:high], second[low:high])) if a != b)
    return count
