"""From buffers and strided views to `kvpager_rows`: where each plane's rows lie, checked before the C call."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from ._memory import Buffer, address_of, view_of
from .errors import InvalidArgument
from .plane import ITEM_BYTES, ITEM_FORMATS, Plane

_NOTHING = ctypes.create_string_buffer(1)
_NOWHERE = ctypes.addressof(_NOTHING)


class PlaneRows:
    """The rows of all planes of a space, for one call: `rows` and `count` are what it takes.

    `rows` is the address of an array of `count` of them. The buffers that it names are the callers' own, and are kept
    alive as long as this object.
    """

    __slots__ = ("rows", "count", "_entries", "_kept")

    def __init__(
        self,
        planes: Sequence[Plane],
        buffers: Iterable[Buffer | None],
        token_count: int,
        writable: bool,
    ) -> None:
        given = list(buffers)
        if len(given) != len(planes):
            hint = ", with None for planes that are not wanted" if writable else ""
            raise InvalidArgument(
                f"{len(given)} buffers were given, and the space has {len(planes)} planes: pass one a plane{hint}"
            )
        entries: list[int] = []  # four numbers a plane, as kvpager_rows has them
        self._kept: list[memoryview] = []
        for index, (plane, buffer) in enumerate(zip(planes, given)):
            if buffer is None:
                if not writable:
                    raise InvalidArgument(f"plane {index} ({plane}) is None: every plane's rows are needed")
                entries += (0, 0, 0, 0)
                continue
            try:
                view = memoryview(buffer)  # type: ignore[arg-type]
            except (TypeError, ValueError, BufferError, NotImplementedError):
                view = view_of(buffer, f"plane {index} ({plane})")
            try:
                if writable and view.readonly:
                    raise _Unfit("its buffer is read-only, and rows are to be read into it")
                if view.itemsize != 1:
                    _check_items(view, buffer, plane)
                # An empty buffer may lie nowhere; a base of NULL would mean that the plane is not given.
                entries.append(address_of(view) or _NOWHERE)
                entries += _layout(view, plane.row_bytes, token_count)
            except _Unfit as error:
                raise InvalidArgument(f"plane {index} ({plane}): {error}") from None
            self._kept.append(view)
        self._entries = array("q", entries)
        self.rows, _ = self._entries.buffer_info()
        self.count = len(planes)


class _Unfit(Exception):
    """Why a buffer cannot hold a plane's rows, in words that follow the plane's name."""


def _check_items(view: memoryview, buffer: Any, plane: Plane) -> None:
    """Whether items of more than a byte can be the plane's elements: those of the type's own size and kind."""
    wanted = ITEM_BYTES.get(plane.type)
    if wanted is None:  # quantised and raw rows: whatever has their size
        return
    letter = view.format.lstrip("@=<")
    if view.itemsize == wanted and letter in ITEM_FORMATS[plane.type]:
        # bfloat16 arrays come as integers; only their dtype tells them.
        if plane.type != "f16" or letter == "e" or _type_name(buffer) != "bfloat16":
            return
    raise _Unfit(
        f"its buffer holds items of {view.itemsize} bytes ({_type_name(buffer) or view.format}): pass items of "
        f"{wanted} bytes of that type, or bytes"
    )


def _type_name(buffer: Any) -> str | None:
    """The name of an array's item type; None for buffers that have none."""
    name: str | None = getattr(getattr(buffer, "dtype", None), "name", None)
    return name


def _layout(view: memoryview, row_bytes: int, token_count: int) -> tuple[int, int, int]:
    """(token_stride, part_bytes, part_stride) of a buffer that holds `token_count` rows."""
    shape = view.shape or ()
    fits = view.nbytes == token_count * row_bytes
    if fits and view.c_contiguous and (len(shape) == 1 or shape[:1] == (token_count,)):
        return 0, 0, 0
    wanted = f"[{token_count} tokens, ...] with {row_bytes} bytes a token"
    if len(shape) == 1 and view.c_contiguous:
        raise _Unfit(f"its buffer has {view.nbytes} bytes, and {wanted} are needed")
    if len(shape) < 2 or shape[0] != token_count:
        raise _Unfit(
            f"its buffer has the shape {list(shape)}, and {wanted} is needed: the first axis is the tokens' (transpose "
            "a view; that copies nothing)"
        )
    if not fits:
        own = view.nbytes // token_count if token_count else 0
        raise _Unfit(f"its rows have {own} bytes, and {wanted} is needed")
    if not view.nbytes:
        return 0, 0, 0
    strides = view.strides or ()
    part_bytes, part_count, part_stride = _parts(shape, strides, view.itemsize)
    token_stride = strides[0] if token_count > 1 else row_bytes
    if token_stride <= 0:
        raise _Unfit(f"tokens {token_stride} bytes apart cannot be expressed: pass a contiguous copy")
    return (token_stride, part_bytes, part_stride) if part_count > 1 else (token_stride, 0, 0)


def _parts(shape: tuple[int, ...], strides: tuple[int, ...], item_bytes: int) -> tuple[int, int, int]:
    """(bytes of a part, parts, stride) of one row: the axes at its end that are contiguous, and all others as one."""
    axis = len(shape) - 1
    part_bytes = item_bytes
    while axis > 0 and (strides[axis] == part_bytes or shape[axis] == 1):
        part_bytes *= shape[axis]
        axis -= 1
    part_count, part_stride = 1, 0
    while axis > 0:
        if shape[axis] != 1:
            if strides[axis] <= 0 or (part_count > 1 and strides[axis] != part_count * part_stride):
                raise _Unfit(
                    f"a row with the strides {list(strides[1:])} (shape {list(shape[1:])}) is not made of equal parts "
                    "at equal distances: pass a contiguous copy"
                )
            part_stride = part_stride or strides[axis]
            part_count *= shape[axis]
        axis -= 1
    return part_bytes, part_count, part_stride
