"""llama.cpp's C functions, from whichever Python package of this environment brings them.

Only functions and structures that have been the same for many releases are used; the two structures of parameters,
which are not, are taken as the library fills them, and only their first three members are set, after a look at whether
they are where they are expected.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int8, c_int32, c_size_t, c_uint8, c_uint32, c_void_p
from pathlib import Path

from .errors import ChatError

_REMEDY = "pip install xllamacpp (or llama-cpp-python), or name a libllama.so in KVPAGER_LIBLLAMA"


class Parameters(ctypes.Structure):
    """Memory for a structure of parameters of any release: larger than each, and passed by value as they are."""

    _fields_ = [("words", c_uint32 * 256)]


class Batch(ctypes.Structure):
    _fields_ = [
        ("n_tokens", c_int32), ("token", POINTER(c_int32)), ("embd", POINTER(c_float)), ("pos", POINTER(c_int32)),
        ("n_seq_id", POINTER(c_int32)), ("seq_id", POINTER(POINTER(c_int32))), ("logits", POINTER(c_int8)),
    ]  # fmt: skip


class ChatMessage(ctypes.Structure):
    _fields_ = [("role", c_char_p), ("content", c_char_p)]


LogFunction = ctypes.CFUNCTYPE(None, ctypes.c_int, c_char_p, c_void_p)

# name: (result, parameters). llama_sampler_chain_params is a structure of one byte, which travels in a register.
_PROTOTYPES: dict[str, tuple[object, tuple[object, ...]]] = {
    "llama_log_set": (None, (LogFunction, c_void_p)),
    "llama_backend_init": (None, ()),
    "llama_model_default_params": (Parameters, ()),
    "llama_context_default_params": (Parameters, ()),
    "llama_model_load_from_file": (c_void_p, (c_char_p, Parameters)),
    "llama_model_free": (None, (c_void_p,)),
    "llama_model_n_ctx_train": (c_int32, (c_void_p,)),
    "llama_model_meta_val_str": (c_int32, (c_void_p, c_char_p, c_char_p, c_size_t)),
    "llama_model_chat_template": (c_char_p, (c_void_p, c_char_p)),
    "llama_model_get_vocab": (c_void_p, (c_void_p,)),
    "llama_init_from_model": (c_void_p, (c_void_p, Parameters)),
    "llama_free": (None, (c_void_p,)),
    "llama_n_ctx": (c_uint32, (c_void_p,)),
    "llama_set_n_threads": (None, (c_void_p, c_int32, c_int32)),
    "llama_batch_get_one": (Batch, (POINTER(c_int32), c_int32)),
    "llama_decode": (c_int32, (c_void_p, Batch)),
    "llama_get_logits_ith": (POINTER(c_float), (c_void_p, c_int32)),
    "llama_get_memory": (c_void_p, (c_void_p,)),
    "llama_memory_seq_rm": (c_bool, (c_void_p, c_int32, c_int32, c_int32)),
    "llama_memory_seq_pos_min": (c_int32, (c_void_p, c_int32)),
    "llama_memory_seq_pos_max": (c_int32, (c_void_p, c_int32)),
    "llama_state_seq_get_size": (c_size_t, (c_void_p, c_int32)),
    "llama_state_seq_get_data": (c_size_t, (c_void_p, c_void_p, c_size_t, c_int32)),
    "llama_state_seq_set_data": (c_size_t, (c_void_p, c_void_p, c_size_t, c_int32)),
    "llama_tokenize": (c_int32, (c_void_p, c_char_p, c_int32, POINTER(c_int32), c_int32, c_bool, c_bool)),
    "llama_token_to_piece": (c_int32, (c_void_p, c_int32, POINTER(c_uint8), c_int32, c_int32, c_bool)),
    "llama_vocab_is_eog": (c_bool, (c_void_p, c_int32)),
    "llama_chat_apply_template": (
        c_int32, (c_char_p, POINTER(ChatMessage), c_size_t, c_bool, POINTER(c_uint8), c_int32)),
    "llama_sampler_chain_default_params": (ctypes.c_uint64, ()),
    "llama_sampler_chain_init": (c_void_p, (ctypes.c_uint64,)),
    "llama_sampler_chain_add": (None, (c_void_p, c_void_p)),
    "llama_sampler_init_greedy": (c_void_p, ()),
    "llama_sampler_init_top_k": (c_void_p, (c_int32,)),
    "llama_sampler_init_top_p": (c_void_p, (c_float, c_size_t)),
    "llama_sampler_init_temp": (c_void_p, (c_float,)),
    "llama_sampler_init_dist": (c_void_p, (c_uint32,)),
    "llama_sampler_sample": (c_int32, (c_void_p, c_void_p, c_int32)),
    "llama_sampler_free": (None, (c_void_p,)),
}  # fmt: skip

_DEFAULT_CONTEXT = (512, 2048, 512)  # n_ctx, n_batch, n_ubatch: the structure's first members, in every release so far


class LibLlama:
    """The loaded library: its functions, by llama.h's names, and the errors that it logged."""

    def __init__(self) -> None:
        self.path = library_path()
        try:
            self.functions = ctypes.CDLL(str(self.path))
            for name, (result, parameters) in _PROTOTYPES.items():
                function = getattr(self.functions, name)
                function.restype = result
                function.argtypes = parameters
        except (OSError, AttributeError) as error:
            raise ChatError(f"{self.path} is no llama.cpp that can be used here ({error}): {_REMEDY}") from error
        if tuple(self.context_parameters().words[:3]) != _DEFAULT_CONTEXT:
            raise ChatError(f"{self.path} has other parameters than this version of kvpager knows: {_REMEDY}")
        self.last_error = ""
        self._log = LogFunction(self._note)
        self.functions.llama_log_set(self._log, None)
        self.functions.llama_backend_init()

    def context_parameters(self) -> Parameters:
        parameters: Parameters = self.functions.llama_context_default_params()
        return parameters

    def _note(self, level: int, text: bytes, _: object) -> None:
        if level == 4 and text.strip():  # GGML_LOG_LEVEL_ERROR
            self.last_error = text.decode(errors="replace").strip()


def library_path() -> Path:
    """Where llama.cpp is: `KVPAGER_LIBLLAMA`, else in the package xllamacpp or llama_cpp. Nothing is imported."""
    named = os.environ.get("KVPAGER_LIBLLAMA")
    if named:
        return Path(named)
    suffix = "dylib" if sys.platform == "darwin" else "so"
    for package, pattern in (("xllamacpp", "xllamacpp*.so"), ("llama_cpp", f"lib/libllama.{suffix}")):
        folder = package_folder(package)
        found = sorted(folder.glob(pattern)) if folder else []
        if found:
            return found[0]
    raise ChatError(f"no llama.cpp in {sys.prefix}: {_REMEDY}")


def package_folder(name: str) -> Path | None:
    """The folder of an installed package, which is not imported."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(next(iter(found.submodule_search_locations)))
