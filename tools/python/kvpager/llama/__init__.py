"""llama.cpp's caches in a kvpager store.

    from kvpager.llama import SessionPager

    pager = SessionPager(store, llm)      # llm: a llama_cpp.Llama, or any Engine
    count = pager.warm(prompt_tokens)     # the longest stored prefix is in the context
    llm.eval(prompt_tokens[count:])       # only the rest is computed
    pager.save("monday")
    pager.resume("monday")                # in a new process, to the bit

`KVPagerCache` takes the place of llama-cpp-python's LlamaRAMCache and LlamaDiskCache. Other bindings: `CallableEngine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._library import library
from ..errors import LibraryUnavailable
from .buffer import StateBuffer
from .context import Refused
from .engine import CallableEngine, Engine
from .identity import model_digest
from .llama_cpp_python import LlamaCppEngine
from .pager import Reuse, SessionPager

if TYPE_CHECKING:
    from .cache import KVPagerCache

__all__ = [
    "CallableEngine", "Engine", "KVPagerCache", "LlamaCppEngine", "Refused", "Reuse", "SessionPager", "StateBuffer",
    "model_digest",
]  # fmt: skip

try:
    library()  # now, beside the engine's own loading, rather than before the first token
except LibraryUnavailable:
    pass  # the first store says so, with the remedy


def __getattr__(name: str) -> Any:
    # Its base class comes with llama-cpp-python, whose llama.cpp must not be loaded beside another binding's.
    if name == "KVPagerCache":
        from .cache import KVPagerCache

        return KVPagerCache
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
