"""States into and out of one context, with every check that llama.cpp leaves out.

Invariants:
- A state is taken from the context only where its cells are the tokens that it is said to hold, at positions from 0.
- After a state was refused, or was taken otherwise than asked, the context is empty and known to be.
- Whatever ends a change halfway (ctrl-C, a binding that raises), the engine is never told to hold more than it does.
- The context is never cut where its state cannot be: llama.cpp would say yes and go on with a window that lacks rows.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

import kvpager

from .buffer import StateBuffer
from .engine import Engine
from .shape import ContextShape, Glance, glance

_log = logging.getLogger("kvpager.llama")

# Larger than the state of any empty sequence, smaller than that of any that holds tokens of a real model.
_EMPTY_STATE_BYTES = 1024


def token_list(tokens: Sequence[int]) -> list[int]:
    """Token ids as plain integers, whatever sequence they came in: a list of its own."""
    if not isinstance(tokens, (list, tuple)) and hasattr(tokens, "tolist"):
        return list(tokens.tolist())
    try:
        return array("i", tokens).tolist()
    except (TypeError, OverflowError):  # items that can be made integers, or whatever the store will refuse
        return [int(token) for token in tokens]


class Refused(Exception):
    """The engine does not take a state. The context is empty."""


class ContextStates:
    """One engine's states, through one buffer."""

    def __init__(self, engine: Engine, buffer: StateBuffer | None = None) -> None:
        self.engine = engine
        self.shape: ContextShape | None = None
        """What a state of this context looks like; None until one was seen."""
        self.buffer = buffer or StateBuffer()
        self.seen: Glance | None = None
        """What the context told when it was looked at."""
        self.put_bytes, self.write_seconds, self.set_seconds = 0, 0.0, 0.0
        """What the last `put` wrote, and the time it took to write it and to give it to the engine."""

    @property
    def held(self) -> list[int] | None:
        """The tokens that the context holds; None where nobody knows."""
        tokens = self.engine.tokens
        return tokens if tokens is None or type(tokens) is list else token_list(tokens)

    def has_lost(self, held: Sequence[int]) -> bool:
        """Whether the context visibly lacks what it is said to hold: somebody cleared it and told nobody."""
        positions = self.engine.positions()
        return positions is not None and positions[1] < len(held) - 1

    @contextmanager
    def take(self, tokens: Sequence[int]) -> Iterator[kvpager.State]:
        """The context's state with its tokens, valid within the `with`.

        Raises kvpager.InvalidArgument where the context does not hold exactly these tokens at positions from 0 on.
        """
        data = self._copy()
        with kvpager.State(data, tokens=tokens) as state:
            self._learn(state)
            self._check(state, tokens)
            yield state

    def _copy(self) -> memoryview:
        size = self.engine.state_size()
        if size <= 0:
            raise kvpager.InvalidArgument("the engine gives no state of its sequence")
        data = self.buffer.reserve(size)
        written = self.engine.get_state(data)
        if not 0 < written <= size:
            raise kvpager.InvalidArgument(f"the engine wrote {written} bytes of a state of {size}")
        return data[:written]

    def _check(self, state: kvpager.State, tokens: Sequence[int]) -> None:
        count = len(tokens)
        if state.token_count == 0 and state.checkpoint_size > 0:
            # A recurrent memory has no cells, so that only the engine can tell how far it got.
            positions = self.engine.positions()
            if positions is not None and positions[1] != count - 1:
                raise kvpager.InvalidArgument(
                    f"{count} tokens were named, and the context's last position is {positions[1]}")
        elif state.token_count != count:
            raise kvpager.InvalidArgument(
                f"{count} tokens are given and the state has {state.token_count} rows; give one for each")
        elif not state.tokens_known:
            raise kvpager.InvalidArgument(
                "the context's cells are not at positions 0, 1, 2, ... in this order: it was shifted, or sequences mix "
                "in one cache (kv_unified), and its rows would not fit their tokens")
        known = self.held
        overlap = 0 if known is None or known is tokens else min(len(known), count)
        if overlap and list(known or [])[:overlap] != list(tokens[:overlap]):
            raise kvpager.InvalidArgument(
                "the engine was told that its context holds other tokens than these: its `tokens` are to be kept up")

    def _learn(self, state: kvpager.State) -> None:
        if state.token_count > 0 or state.checkpoint_size > 0:
            self.shape = ContextShape.of(state)

    def look(self) -> None:
        """Takes in what can be seen without computing: all of the shape where the context holds something."""
        if self.held == []:
            self.engine.clear()  # cells that are left over would be copied for nothing
        self._inspect()

    def _inspect(self) -> None:
        if self.engine.state_size() <= _EMPTY_STATE_BYTES:
            self.seen = glance(bytes(self._copy()))
            return
        data = self._copy()
        try:
            with kvpager.State(data) as state:
                self._learn(state)
        except kvpager.Error as error:
            _log.info("the context's state is not one that kvpager reads: %s", error)
        self.seen = glance(bytes(data[:16]))

    def probe(self, token: int) -> bool:
        """Computes one token to see what a state looks like; the context is empty afterwards. False: not possible."""
        self.clear()
        if not self.engine.evaluate([token]):
            return False
        self._inspect()
        self.clear()
        return self.shape is not None

    def can_be_cut(self) -> bool:
        """Whether what the context holds may be cut at a token. Where nobody knows, it may not."""
        if self.shape is None:
            self.look()
        return self.shape is not None and self.shape.can_be_cut

    def put(
        self, tokens: Sequence[int], size: Callable[[], int], write: Callable[[memoryview], memoryview]
    ) -> None:  # fmt: skip
        """Makes the context hold `tokens`. `write` writes their state, raising kvpager.BufferTooSmall where it needs
        more memory, and returns what it wrote; `size` tells how much it needs.

        Raises Refused where the engine does not take it, and what `write` raises (the context then is as it was).
        """
        if len(tokens) > self.engine.context_tokens:
            raise kvpager.InvalidArgument(
                f"{len(tokens)} tokens do not fit the context of {self.engine.context_tokens}: make it larger (n_ctx)")
        started = perf_counter()
        data = self._written(size, write)
        byte_count = data.nbytes
        written = perf_counter()
        last = len(tokens) - 1
        self.engine.hold([])
        try:
            consumed = self.engine.set_state(data)
            self.put_bytes, self.write_seconds, self.set_seconds = (
                byte_count, written - started, perf_counter() - written)
            positions = self.engine.positions()
            if consumed == byte_count and (positions is None or positions[1] == last):
                self.engine.hold(tokens)
                return
        except BaseException:
            self.clear()
            raise
        self.clear()
        if consumed == 0:
            raise Refused("the engine refuses the state")
        found = "" if positions is None else f", and its last position is {positions[1]} where {last} is right"
        raise Refused(f"the engine took {consumed} of {byte_count} bytes{found}")

    def _written(self, size: Callable[[], int], write: Callable[[memoryview], memoryview]) -> memoryview:
        room = self.buffer.whole()
        if room.nbytes > 0:  # as a rule it is enough, and nobody has to ask for the size
            try:
                return write(room)
            except kvpager.BufferTooSmall:
                pass
        return write(self.buffer.reserve(size()))

    def cut(self, token_count: int) -> bool:
        """Makes the context hold its first tokens alone. False where it may not be cut; it is as it was then."""
        held = self.held
        if held is None or not self.can_be_cut():
            return False
        self.engine.hold(held[:token_count])
        if not self.engine.cut(token_count):
            self.engine.hold(held)
            return False
        return True

    def clear(self) -> None:
        self.engine.hold([])
        self.engine.clear()

    def close(self) -> None:
        self.buffer.close()
