"""The adapter for llama-cpp-python's `llama_cpp.Llama`."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .._memory import address_of
from .identity import model_digest

if TYPE_CHECKING:
    from llama_cpp import Llama

_GGML_TYPES = {0: "f32", 1: "f16", 2: "q4_0", 3: "q4_1", 6: "q5_0", 7: "q5_1", 8: "q8_0", 20: "iq4_nl", 30: "bf16"}
_FLASH_ATTENTION = {-1: "auto", 0: "off", 1: "on"}
_QUANTISED = frozenset((2, 3, 6, 7, 8, 20))
_BYTE = ctypes.POINTER(ctypes.c_uint8)


def sees_images(llm: Llama) -> bool:
    """Whether a chat handler computes images into the context, whose rows no token ids name."""
    return hasattr(getattr(llm, "chat_handler", None), "clip_model_path")


class LlamaCppEngine:
    """Sequence 0 of a `llama_cpp.Llama`: what its `eval` and `generate` compute on.

    The settings are read from the parameters that the `Llama` was made with; what stays at its default (0: from the
    model) is left out, so that equal contexts are equal.

    `Llama.generate` cuts its context back to what a prompt has in common with it. For sliding windows that is exact
    only while the rows before the cut are there, which a state does not bring; llama.cpp does it all the same and says
    yes. So such a `Llama` is told no here, and computes the prompt from its beginning.
    """

    sequence = 0

    def __init__(self, llm: Llama, *, model: str | None = None) -> None:
        """`model` names the weights where their file is not to be hashed."""
        import llama_cpp.llama_cpp as api

        self.llm = llm
        self._api = api
        self.model = model or model_digest(llm.model_path)
        self.adapter = self._describe_adapter()
        self.architecture: str | None = (llm.metadata or {}).get("general.architecture")
        parameters: Any = llm.context_params
        self.streams = 1 if getattr(parameters, "kv_unified", False) else int(api.llama_n_seq_max(llm.ctx))
        self.context_tokens = int(api.llama_n_ctx(llm.ctx)) // self.streams
        self.settings: Mapping[str, str] = self._describe_settings()
        self._guard_windows()

    def _describe_adapter(self) -> str:
        if not self.llm.lora_path:
            return ""
        return f"{model_digest(self.llm.lora_path)} * {self.llm.lora_scale!r}"

    def _describe_settings(self) -> dict[str, str]:
        parameters: Any = self.llm.context_params
        default: Any = self._api.llama_context_default_params()
        flash = getattr(parameters, "flash_attn_type", None)
        if flash is None:  # older versions know on and off
            flash = parameters.flash_attn
        settings = {
            "type_k": _GGML_TYPES.get(parameters.type_k, str(parameters.type_k)),
            "type_v": _GGML_TYPES.get(parameters.type_v, str(parameters.type_v)),
            "flash_attn": _FLASH_ATTENTION.get(int(flash), str(flash)),
        }
        for name in (
            "rope_scaling_type", "rope_freq_base", "rope_freq_scale", "yarn_ext_factor", "yarn_attn_factor",
            "yarn_beta_fast", "yarn_beta_slow", "yarn_orig_ctx", "attention_type", "swa_full",
        ):  # fmt: skip
            value = getattr(parameters, name, None)
            if value != getattr(default, name, None):
                settings[name] = repr(value)
        for name, value in sorted((self.llm.kv_overrides or {}).items()):
            settings[f"override.{name}"] = repr(value)
        if {parameters.type_k, parameters.type_v} & _QUANTISED:
            # Quantised rows are rotated by some releases and not by others, and their states do not all tell.
            import llama_cpp

            settings["llama_cpp"] = str(llama_cpp.__version__)
        settings.update(self._long_rope())
        return settings

    def _long_rope(self) -> dict[str, str]:
        """Models with two sets of rotation factors choose by the context's length, which then changes the keys."""
        for name, value in (self.llm.metadata or {}).items():
            if name.endswith(".rope.scaling.original_context_length"):
                return {"long_rope": "on" if self.context_tokens > int(value) else "off"}
        return {}

    def _guard_windows(self) -> None:
        api, context = self._api, self.llm._ctx
        window = int(api.llama_model_n_swa(self.llm.model)) if hasattr(api, "llama_model_n_swa") else 0
        if window <= 0 or getattr(context, "kvpager_guard", False):
            return
        remove = context.kv_cache_seq_rm

        def remove_where_exact(seq_id: int, p0: int, p1: int) -> bool:
            memory, sequence = api.llama_get_memory(context.ctx), max(seq_id, 0)
            first = int(api.llama_memory_seq_pos_min(memory, sequence))
            last = int(api.llama_memory_seq_pos_max(memory, sequence))
            if 0 < p0 <= last and first > max(0, p0 - window + 1):
                return False
            return bool(remove(seq_id, p0, p1))

        context.kv_cache_seq_rm = remove_where_exact
        context.kvpager_guard = True

    @property
    def tokens(self) -> list[int] | None:
        if sees_images(self.llm):
            return None  # where images are, `input_ids` keeps what an earlier prompt had there
        tokens: list[int] = self.llm.input_ids[: self.llm.n_tokens].tolist()
        return tokens

    def hold(self, tokens: Sequence[int]) -> None:
        count = len(tokens)
        self.llm.input_ids[:count] = tokens
        self.llm.n_tokens = count
        # The logits in the context, if any, are another state's: the next step must compute before it samples.
        self.llm._requires_eval = True

    def state_size(self) -> int:
        return int(self._api.llama_state_seq_get_size(self.llm.ctx, self.sequence))

    def get_state(self, destination: memoryview) -> int:
        pointer = ctypes.cast(address_of(destination), _BYTE)
        return int(self._api.llama_state_seq_get_data(self.llm.ctx, pointer, destination.nbytes, self.sequence))

    def set_state(self, source: memoryview) -> int:
        pointer = ctypes.cast(address_of(source), _BYTE)
        return int(self._api.llama_state_seq_set_data(self.llm.ctx, pointer, source.nbytes, self.sequence))

    @property
    def _memory(self) -> Any:
        return self._api.llama_get_memory(self.llm.ctx)

    def clear(self) -> None:
        self.hold([])  # before: a ctrl-C in between must not leave tokens without cells
        self._api.llama_memory_seq_rm(self._memory, self.sequence, -1, -1)

    def cut(self, token_count: int) -> bool:
        return bool(self._api.llama_memory_seq_rm(self._memory, self.sequence, token_count, -1))

    def positions(self) -> tuple[int, int]:
        memory = self._memory
        return (
            int(self._api.llama_memory_seq_pos_min(memory, self.sequence)),
            int(self._api.llama_memory_seq_pos_max(memory, self.sequence)),
        )

    def evaluate(self, tokens: Sequence[int]) -> bool:
        self.llm.eval(list(tokens))
        return True
