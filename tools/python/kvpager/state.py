"""An engine's state: what llama.cpp saved, or a safetensors file, read where it lies."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ._export import ExportOptions, python_options
from ._handle import Handle
from ._library import ask_json, check, json_text, library, path_text
from ._memory import Buffer, TokenList, Tokens, address_of, bytes_of
from ._tokens import tokens_of
from .plane import Plane
from .store import Store, _descriptor

if TYPE_CHECKING:
    from .space import Space


class State(Handle):
    """The state in a buffer: what llama_state_seq_get_data or llama_state_get_data gave, a sequence or session file's
    bytes, or safetensors.

    The bytes are not copied: do not change them until the state is closed (the buffer is kept alive till then).
    tokens: those of its rows, for states that carry none. Raises `Malformed`, with the offset in its message.
    """

    _kind = "state"
    _close_name = "kvpager_state_close"

    def __init__(self, buffer: Buffer, tokens: Tokens | None = None) -> None:
        view = bytes_of(buffer, "the state")
        given = TokenList(() if tokens is None else tokens)
        value = ctypes.c_uint64()
        check(
            library().kvpager_state_open(
                address_of(view), view.nbytes, given.address or None, given.count, ctypes.byref(value)
            )
        )
        self._open(value.value, view)

    @classmethod
    def open(cls, path: str | os.PathLike[str], tokens: Tokens | None = None) -> State:
        """The state in a file."""
        given = TokenList(() if tokens is None else tokens)
        value = ctypes.c_uint64()
        check(
            library().kvpager_state_open_file(path_text(path), given.address or None, given.count, ctypes.byref(value))
        )
        state = cls.__new__(cls)
        state._open(value.value, None)
        return state

    def _open(self, value: int, source: memoryview | None) -> None:
        super().__init__(value)
        self._source = source

    def __repr__(self) -> str:
        return f"<kvpager.State{' closed' if self.closed else f' of {self.token_count} tokens, {self.format}'}>"

    def close(self) -> None:
        """Gives the handle and the buffer back; where another thread's call reads the buffer, after that call."""
        super().close()
        self._source = None

    @contextmanager
    def _in_use(self) -> Iterator[int]:
        """The handle's number for a call that reads the buffer, which stays as long as the call takes."""
        source = self._source  # before the handle is asked: close() drops it after the handle
        yield self._value
        del source

    @cached_property
    def description(self) -> dict[str, Any]:
        """What `kvpager_state_describe` says, whole; the properties below are its members."""
        with self._in_use() as value:
            found: dict[str, Any] = ask_json(library().kvpager_state_describe, value)
        return found

    @property
    def format(self) -> str:
        """What it was found to be, in words: "llama.cpp sequence file, version 4". `shape` has the format's name."""
        return str(self.description["format"])

    @property
    def token_count(self) -> int:
        """Tokens that have rows."""
        return int(self.description["tokens"])

    @property
    def tokens_known(self) -> bool:
        """Whether the tokens are known, from the state or from the caller."""
        return bool(self.description["tokensKnown"])

    @property
    def tokens(self) -> list[int]:
        """The tokens."""
        with self._in_use() as value:
            return tokens_of(library().kvpager_state_tokens, value)

    @property
    def checkpoint_size(self) -> int:
        """Bytes of what cannot be cut at a token, 0 for none."""
        return int(self.description["checkpointBytes"])

    @property
    def can_be_cut(self) -> bool:
        """Whether its first tokens alone make a state."""
        return bool(self.description["canBeCut"])

    @property
    def settings(self) -> Mapping[str, str]:
        """What belongs into the settings of its cache space; `space` adds it."""
        found: Mapping[str, str] = self.description["settings"]
        return found

    @cached_property
    def planes(self) -> tuple[Plane, ...]:
        """The planes of its rows."""
        return tuple(Plane.from_descriptor(plane) for plane in self.description["planes"])

    @property
    def shape(self) -> ExportOptions:
        """Options with which `export(**state.shape)` writes a state for the same engine context."""
        return python_options(self.description["shape"])

    def space(
        self,
        store: Store,
        model: str,
        adapter: str = "",
        settings: Mapping[str, str] | None = None,
        salt: str = "",
        block_tokens: int = 64,
        vllm_seed: str | None = None,
    ) -> Space:
        """Opens the cache space that the state belongs to: `Store.space` with the state's planes and settings.

        Where the tokens are not known, the digest of the state's bytes joins the salt, so that it shares no block.
        """
        from .space import Space

        descriptor = json_text(_descriptor(model, adapter, settings, salt, block_tokens, vllm_seed))
        value = ctypes.c_uint64()
        with self._in_use() as state_value:
            check(library().kvpager_state_space(state_value, store._value, descriptor, ctypes.byref(value)))
        return Space(store, value.value)
