"""From buffers and strided views to `kvpager_rows`: where each plane's rows lie, checked before the C call."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from typing import Any, Optional

from ._library import Rows
from ._memory import Buffer, address_of, view_of
from .errors import InvalidArgument
from .plane import ITEM_BYTES, ITEM_FORMATS, Plane


class PlaneRows:
    """The rows of all planes of a space, for one call: `rows` and `count` are what it takes.

    The buffers are views of the callers' memory and are kept alive as long as this object.
    """

    __slots__ = ("rows", "count", "_kept")

    def __init__(
        self,
        planes: Sequence[Plane],
        buffers: Iterable[Optional[Buffer]],
        token_count: int,
        writable: bool,
    ) -> None:
        given = list(buffers)
        if len(given) != len(planes):
            hint = ", with None for planes that are not wanted" if writable else ""
            raise InvalidArgument(
                f"{len(given)} buffers were given, and the space has {len(planes)} planes: pass one a plane{hint}"
            )
        self.rows = (Rows * len(planes))()
        self.count = len(planes)
        self._kept: list[memoryview] = []
        for index, (plane, buffer) in enumerate(zip(planes, given)):
            if buffer is None:
                if not writable:
                    raise InvalidArgument(f"plane {index} ({plane}) is None: every plane's rows are needed")
                continue
            what = f"plane {index} ({plane})"
            view = view_of(buffer, what)
            if writable and view.readonly:
                raise InvalidArgument(f"{what}: the buffer is read-only, and rows are to be read into it")
            _check_items(view, buffer, plane, what)
            token_stride, part_bytes, part_stride = _layout(view, plane, token_count, what)
            entry = self.rows[index]
            # An empty buffer may lie nowhere; a base of NULL would mean that the plane is not given.
            entry.base = address_of(view) or ctypes.addressof(self.rows)
            entry.token_stride, entry.part_bytes, entry.part_stride = token_stride, part_bytes, part_stride
            self._kept.append(view)


def _check_items(view: memoryview, buffer: Any, plane: Plane, what: str) -> None:
    """Whether items of this kind can be the plane's elements: bytes always, else those of the type's own size."""
    name = getattr(getattr(buffer, "dtype", None), "name", None)
    letter = view.format.lstrip("@=<")
    if letter in ("B", "b", "c") or plane.type not in ITEM_BYTES:
        return
    known = name == "bfloat16" and plane.type == "bf16" or name != "bfloat16" and letter in ITEM_FORMATS[plane.type]
    if not known or view.itemsize != ITEM_BYTES[plane.type]:
        raise InvalidArgument(
            f"{what}: its buffer holds items of {view.itemsize} bytes ({name or view.format}): pass items of "
            f"{ITEM_BYTES[plane.type]} bytes of that type, or bytes"
        )


def _layout(view: memoryview, plane: Plane, token_count: int, what: str) -> tuple[int, int, int]:
    """(token_stride, part_bytes, part_stride) of a buffer that holds `token_count` rows."""
    shape, strides = view.shape or (), view.strides or ()
    wanted = f"[{token_count} tokens, ...] with {plane.row_bytes} bytes a token"
    if len(shape) == 1 and view.c_contiguous:
        if view.nbytes != token_count * plane.row_bytes:
            raise InvalidArgument(f"{what}: its buffer has {view.nbytes} bytes, and {wanted} are needed")
        return 0, 0, 0
    if len(shape) < 2 or shape[0] != token_count:
        raise InvalidArgument(
            f"{what}: its buffer has the shape {list(shape)}, and {wanted} is needed: the first axis is the tokens' "
            "(transpose a view; that copies nothing)"
        )
    if view.nbytes != token_count * plane.row_bytes:
        row_bytes = view.nbytes // token_count if token_count else 0
        raise InvalidArgument(f"{what}: its rows have {row_bytes} bytes, and {wanted} is needed")
    if view.nbytes == 0 or view.c_contiguous:
        return 0, 0, 0
    token_stride = strides[0] if token_count > 1 else 0
    part_bytes, part_count, part_stride = _parts(shape[1:], strides[1:], view.itemsize, what)
    if token_count > 1 and token_stride <= 0:
        raise InvalidArgument(f"{what}: tokens {token_stride} bytes apart cannot be expressed: pass a contiguous copy")
    if part_count == 1:
        return token_stride, 0, 0
    # A stride of 0 would mean that rows follow one another.
    return token_stride or plane.row_bytes, part_bytes, part_stride


def _parts(shape: tuple[int, ...], strides: tuple[int, ...], item_size: int, what: str) -> tuple[int, int, int]:
    """(bytes of a part, parts, stride) of one row: the axes at its end that are contiguous, and all others as one."""
    axes = [(extent, stride) for extent, stride in zip(shape, strides) if extent != 1]
    part_bytes = item_size
    while axes and axes[-1][1] == part_bytes:
        part_bytes *= axes.pop()[0]
    if not axes:
        return part_bytes, 1, 0
    part_count, part_stride = axes.pop()
    while axes and axes[-1][1] == part_count * part_stride:
        part_count *= axes.pop()[0]
    if axes or part_stride <= 0:
        raise InvalidArgument(
            f"{what}: a row with the strides {list(strides)} (shape {list(shape)}) is not made of equal parts at equal "
            "distances: pass a contiguous copy"
        )
    return part_bytes, part_count, part_stride
