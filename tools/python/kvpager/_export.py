"""Options of an export, and exporting into memory: what prefixes and sessions have in common."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypedDict, cast

from ._library import BUFFER_TOO_SMALL, check, json_text
from ._memory import Buffer, address_of, allocate, bytes_of
from .errors import BufferTooSmall


class ExportOptions(TypedDict, total=False):
    """What a state is written for; what is left out is as it was imported."""

    #: "llama-blob" is for llama_state_seq_set_data, "llama-context" for llama_state_set_data.
    format: Literal["llama-seq", "llama-session", "llama-blob", "llama-context", "safetensors"]
    #: llama.cpp's sequence version, 2 to 4: it reads its own only.
    version: int
    #: Values channel-major, for a context without flash attention.
    transposed: bool
    #: The context's n_seq_max (1 where its cache is unified), and the stream to fill.
    streams: int
    stream: int
    #: Every cell becomes this sequence's.
    sequence: int
    #: Whether a blob begins with its 8-byte header.
    blob_header: bool
    #: [keys, values]: what version 4 records of quantised rows.
    rotation: list[int]
    #: The model's architecture, which llama-session and llama-context name.
    arch: str
    #: KV heads, for safetensors.
    heads: int


#: The options' names in Python, and as the C interface has them.
OPTION_NAMES = {
    "format": "format", "version": "version", "transposed": "transposed", "streams": "streams", "stream": "stream",
    "sequence": "sequence", "blob_header": "blobHeader", "rotation": "rotation", "arch": "arch", "heads": "heads",
}  # fmt: skip
_PYTHON_NAMES = {name: python_name for python_name, name in OPTION_NAMES.items()}


def options_text(options: Mapping[str, Any]) -> bytes | None:
    """Options as the C interface takes them; None for none."""
    members: dict[str, Any] = {}
    for name, value in options.items():
        if name not in OPTION_NAMES:
            raise TypeError(f"export has no option {name!r}; it has {', '.join(OPTION_NAMES)}")
        members[OPTION_NAMES[name]] = list(value) if name == "rotation" and value is not None else value
    return json_text(members) if members else None


def python_options(shape: Mapping[str, Any]) -> ExportOptions:
    """Options that the C interface gave, under their names in Python."""
    return cast(ExportOptions, {_PYTHON_NAMES.get(name, name): value for name, value in shape.items()})


def needed_size(call: Callable[[int | None, int, Any], int]) -> int:
    """The bytes that a call wants to write, by the C interface's custom: asked with no buffer, it tells the size.

    call: takes address, capacity and where the size goes, and returns the status.
    """
    size = ctypes.c_int64()
    status = call(None, 0, ctypes.byref(size))
    if status != BUFFER_TOO_SMALL:
        check(status)
    return size.value


def written(call: Callable[[int | None, int, Any], int], into: Buffer | None) -> memoryview:
    """What a call writes: a view of `into`'s beginning, or of a fresh buffer."""
    size = ctypes.c_int64()
    if into is not None:
        target = bytes_of(into, "the buffer to export into", writable=True)
        status = call(address_of(target), target.nbytes, ctypes.byref(size))
        if status == BUFFER_TOO_SMALL:
            raise BufferTooSmall(
                f"the buffer has {target.nbytes} bytes, and {size.value} are needed: pass a larger one, or none"
            )
        check(status)
        return _bytes_view(target)[: size.value]
    needed = needed_size(call)
    while True:
        fresh = allocate(needed)
        status = call(address_of(fresh), needed, ctypes.byref(size))
        if status != BUFFER_TOO_SMALL:  # else another thread made it grow meanwhile
            check(status)
            return fresh[: size.value]
        needed = size.value


def _bytes_view(view: memoryview) -> memoryview:
    """The view's memory as bytes."""
    if view.nbytes == 0:
        return memoryview(bytearray())
    try:
        return view.cast("B")
    except TypeError:  # ctypes arrays name their byte order, which cast() does not take
        return memoryview((ctypes.c_char * view.nbytes).from_buffer(view)).cast("c").cast("B")
