"""The context checkpoints that newer llama-servers append to a slot's file.

A sliding-window state alone is not enough for the server to go on: it wants one row more than the state holds, and
computes the whole prompt again where it has no checkpoint. The appendix begins with the text "SCKP", u32 version (1)
and u32 count; then each checkpoint: i64 tokens, i32 first and last position, and three blobs, each u64 size and bytes
(the model's state, a draft model's, a speculation's). Integers are little-endian, and it ends with the file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Union

_HEAD = struct.Struct("<4sII")
_CHECKPOINT = struct.Struct("<qiiQ")
_SIZE = struct.Struct("<Q")
_MAGIC, _VERSION = b"SCKP", 1

Bytes = Union[bytes, memoryview]


@dataclass(frozen=True)
class Appendix:
    """An appendix that was found: where it begins, and where each of its checkpoints does."""

    offset: int
    checkpoints: tuple[int, ...]

    def newest(self, file: memoryview) -> bytes:
        """The appendix with its newest checkpoint alone: the older ones only help those who edit their last message,
        and each is as large as the window."""
        return _HEAD.pack(_MAGIC, _VERSION, 1) + bytes(file[self.checkpoints[-1] :])


def find_appendix(file: memoryview) -> Appendix | None:
    """The appendix at the end of a slot file's bytes, None where there is none."""
    begin = _HEAD.pack(_MAGIC, _VERSION, 0)[:8]
    offset = _find(file, begin, 0)
    while offset >= 0:
        checkpoints = _checkpoints(file, offset)
        if checkpoints:
            return Appendix(offset, checkpoints)
        offset = _find(file, begin, offset + 1)
    return None


def is_whole(appendix: Bytes) -> bool:
    """Whether these bytes are an appendix and nothing else."""
    return bool(_checkpoints(memoryview(appendix), 0))


def _find(file: memoryview, text: bytes, start: int) -> int:
    """Where a text stands in a view, -1 for nowhere: piecewise, for a view cannot be searched without a copy."""
    piece = 1 << 20
    while start < len(file):
        found = bytes(file[start : start + piece + len(text)]).find(text)
        if found >= 0:
            return start + found
        start += piece
    return -1


def _checkpoints(file: memoryview, offset: int) -> tuple[int, ...]:
    """Where each checkpoint of an appendix begins; none where the bytes do not end exactly with its last."""
    if offset + _HEAD.size > len(file):
        return ()
    magic, version, count = _HEAD.unpack_from(file, offset)
    if magic != _MAGIC or version != _VERSION:
        return ()
    offset += _HEAD.size
    found: list[int] = []
    while offset < len(file) and len(found) < count:
        if offset + _CHECKPOINT.size > len(file):
            return ()
        found.append(offset)
        size = _CHECKPOINT.unpack_from(file, offset)[3]
        offset += _CHECKPOINT.size + size
        for _ in range(2):
            if offset + _SIZE.size > len(file):
                return ()
            offset += _SIZE.size + _SIZE.unpack_from(file, offset)[0]
    return tuple(found) if offset == len(file) and len(found) == count else ()
