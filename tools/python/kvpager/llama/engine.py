"""What kvpager needs of an engine, and an adapter for any binding of llama.cpp that gives its states as bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from .._memory import address_of
from .identity import model_digest


@runtime_checkable
class Engine(Protocol):
    """One sequence of one context of an engine.

    An engine may be used by one thread at a time, as llama.cpp's contexts may.
    """

    @property
    def model(self) -> str:
        """What the weights are, better a digest than a name."""
        ...

    @property
    def adapter(self) -> str:
        """What changes the weights (LoRA); empty for nothing."""
        ...

    @property
    def settings(self) -> Mapping[str, str]:
        """What else changes keys and values: their types, rotation, flash attention. Never thread counts."""
        ...

    @property
    def architecture(self) -> str | None:
        """The model's architecture as llama.cpp names it ("llama"); None where it is not known."""
        ...

    @property
    def context_tokens(self) -> int:
        """Tokens that the sequence can hold."""
        ...

    @property
    def streams(self) -> int:
        """Streams of the context's cache: n_seq_max, or 1 where the cache is unified."""
        ...

    @property
    def sequence(self) -> int:
        """The number of the sequence."""
        ...

    @property
    def tokens(self) -> Sequence[int] | None:
        """The tokens that the context holds; None where the adapter does not know."""
        ...

    def hold(self, tokens: Sequence[int]) -> None:
        """Told with each change that kvpager makes: the context holds these tokens. Told before tokens are taken away
        and after they were put in, so that a change which is broken off leaves cells without tokens, never tokens
        without cells."""
        ...

    def state_size(self) -> int:
        """Bytes of the sequence's state."""
        ...

    def get_state(self, destination: memoryview) -> int:
        """Writes the sequence's state; the bytes written, 0 where the engine refuses."""
        ...

    def set_state(self, source: memoryview) -> int:
        """Replaces the sequence by a state; the bytes consumed, 0 where the engine refuses. `source` is writable
        memory and is not changed."""
        ...

    def clear(self) -> None:
        """Forgets the sequence."""
        ...

    def cut(self, token_count: int) -> bool:
        """Forgets everything from token `token_count` on. Asked for only where that is exact, and after `hold`. False:
        not possible, and nothing was changed."""
        ...

    def positions(self) -> tuple[int, int] | None:
        """The sequence's least and greatest position, (-1, -1) for an empty one; None where that is not known."""
        ...

    def evaluate(self, tokens: Sequence[int]) -> bool:
        """Computes tokens behind what the context holds, to see what a state looks like. False: not possible."""
        ...


@dataclass
class CallableEngine:
    """An engine made of functions, for any binding that gives `llama_state_seq_get_data` and `set_data`.

    Addresses are plain integers. Example, with a library loaded by ctypes and a context's pointer:

        engine = CallableEngine(
            model="model.gguf", context_tokens=4096,
            get_size=lambda: lib.llama_state_seq_get_size(ctx, 0),
            get_data=lambda address, size: lib.llama_state_seq_get_data(ctx, address, size, 0),
            set_data=lambda address, size: lib.llama_state_seq_set_data(ctx, address, size, 0),
            remove=lambda first: lib.llama_memory_seq_rm(lib.llama_get_memory(ctx), 0, first, -1))

    Whoever computes with the context tells what it holds: `engine.tokens = [...]`. While that is None, `warm` puts a
    stored prefix into the context whatever is in it, and `save` must be given the tokens.
    """

    model: str
    """A path of a GGUF file, whose digest is taken, or any other name of the weights ("sha256:...")."""
    context_tokens: int
    get_size: Callable[[], int]
    get_data: Callable[[int, int], int]
    """(address, bytes there) -> bytes written"""
    set_data: Callable[[int, int], int]
    """(address, bytes there) -> bytes consumed"""
    remove: Callable[[int], object]
    """Forgets the sequence from a position on (llama_memory_seq_rm); 0 for all of it. False: not possible."""
    get_positions: Callable[[], tuple[int, int]] | None = None
    compute: Callable[[Sequence[int]], object] | None = None
    """Computes tokens from the sequence's end on; only used to see what a state looks like."""
    adapter: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What changes values and stands in no state: rope scaling where it is not the model's own, long or short rotation
    factors, control vectors; for quantised caches the release of llama.cpp."""
    architecture: str | None = None
    streams: int = 1
    sequence: int = 0
    tokens: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if os.path.isfile(self.model):
            self.model = model_digest(self.model)
        if self.context_tokens < 1 or self.streams < 1 or self.sequence < 0:
            raise ValueError("context_tokens and streams are at least 1, and sequence at least 0")

    def hold(self, tokens: Sequence[int]) -> None:
        self.tokens = list(tokens)

    def state_size(self) -> int:
        return int(self.get_size())

    def get_state(self, destination: memoryview) -> int:
        return int(self.get_data(address_of(destination), destination.nbytes))

    def set_state(self, source: memoryview) -> int:
        return int(self.set_data(address_of(source), source.nbytes))

    def clear(self) -> None:
        self.remove(0)

    def cut(self, token_count: int) -> bool:
        return self.remove(token_count) is not False

    def positions(self) -> tuple[int, int] | None:
        return None if self.get_positions is None else self.get_positions()

    def evaluate(self, tokens: Sequence[int]) -> bool:
        if self.compute is None:
            return False
        self.compute(list(tokens))
        return True
