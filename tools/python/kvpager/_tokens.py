"""Token lists that the library gives."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable

from ._export import needed_size
from ._library import BUFFER_TOO_SMALL, check


def tokens_of(function: Callable[..., int], handle: int) -> list[int]:
    """The tokens of a session or state."""
    needed = needed_size(lambda address, capacity, count: function(handle, address, capacity, count))
    while True:
        tokens = array("i", bytes(4 * needed))
        count = ctypes.c_int64()
        status = function(handle, tokens.buffer_info()[0] if needed else None, needed, ctypes.byref(count))
        if status != BUFFER_TOO_SMALL:  # else another thread appended meanwhile
            check(status)
            return tokens[: count.value].tolist()
        needed = count.value
