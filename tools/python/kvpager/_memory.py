"""Memory that callers name, without copies: where a buffer lies, token lists, and fresh buffers."""

from __future__ import annotations

import ctypes
import mmap
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .errors import InvalidArgument

if TYPE_CHECKING:
    from typing import Protocol

    class _HasBuffer(Protocol):  # collections.abc.Buffer from Python 3.12 on
        def __buffer__(self, flags: int, /) -> memoryview: ...

    class _Array(Protocol):  # numpy's arrays, whose annotations name no buffer to older Pythons
        @property
        def __array_interface__(self) -> dict[str, Any]: ...

    #: Any object with the buffer protocol: bytes, bytearray, memoryview, mmap, array, numpy arrays, ctypes arrays.
    Buffer = _HasBuffer | _Array

    #: Token ids: any sequence of int, or a buffer of 32-bit integers, which is not copied.
    Tokens = Sequence[int] | Buffer
else:
    Buffer = Any
    Tokens = Any


class _PyBuffer(ctypes.Structure):
    """CPython's `Py_buffer`."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.POINTER(ctypes.c_ssize_t)),
        ("strides", ctypes.POINTER(ctypes.c_ssize_t)),
        ("suboffsets", ctypes.POINTER(ctypes.c_ssize_t)),
        ("internal", ctypes.c_void_p),
    )


# A library object of our own: the types set on ctypes.pythonapi's functions would be everybody's.
_python = ctypes.PyDLL(None)
_get_buffer = _python.PyObject_GetBuffer
_get_buffer.argtypes = (ctypes.py_object, ctypes.POINTER(_PyBuffer), ctypes.c_int)
_get_buffer.restype = ctypes.c_int
_release_buffer = _python.PyBuffer_Release
_release_buffer.argtypes = (ctypes.POINTER(_PyBuffer),)
_release_buffer.restype = None

_PYBUF_STRIDES = 0x18

_address = ctypes.addressof
_first_byte = ctypes.c_char.from_buffer


def address_of(view: memoryview) -> int:
    """The address of a view's first item. It stays valid while the view, or whatever it is a view of, is alive."""
    if view.c_contiguous and view.nbytes and not view.readonly:
        return _address(_first_byte(view))  # four times as fast as the way that fits all
    buffer = _PyBuffer()
    reference = ctypes.byref(buffer)
    _get_buffer(view, reference, _PYBUF_STRIDES)
    address: int = buffer.buf or 0
    _release_buffer(reference)
    return address


def view_of(buffer: Buffer, what: str) -> memoryview:
    """A view of a buffer's own memory. Items that the buffer protocol has no letter for (bfloat16) become integers of
    their size. Raises TypeError where `buffer` is no buffer."""
    try:
        return memoryview(buffer)  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError, NotImplementedError) as error:
        if hasattr(buffer, "dtype") and hasattr(buffer, "view"):
            item_size = buffer.dtype.itemsize
            if item_size in (1, 2, 4, 8):
                return memoryview(buffer.view(f"u{item_size}"))
        raise TypeError(
            f"{what} is a buffer (a numpy array, memoryview, bytearray, ...), not {type(buffer).__name__} ({error})"
        ) from None


def bytes_of(buffer: Buffer, what: str, writable: bool = False) -> memoryview:
    """A view of a contiguous buffer, whose `nbytes` bytes begin at `address_of` it."""
    view = view_of(buffer, what)
    if not view.c_contiguous:
        raise InvalidArgument(f"{what} must be contiguous: pass a contiguous copy")
    if writable and view.readonly:
        raise InvalidArgument(f"{what} is read-only, and it is to be written to: pass a writable one")
    return view


class TokenList:
    """Token ids as the C interface takes them. Keeps the memory that `address` names."""

    __slots__ = ("address", "count", "_kept")

    def __init__(self, tokens: Tokens) -> None:
        kept = _int32_view(tokens)
        self._kept: Any = kept if kept is not None else memoryview(_int32_array(tokens))
        self.count: int = len(self._kept)
        self.address: int = address_of(self._kept) if self.count else 0

    def first(self, count: int) -> list[int]:
        """The first `count` tokens."""
        found: list[int] = self._kept[:count].tolist()
        return found


def _int32_view(tokens: Tokens) -> memoryview | None:
    """A view of a one-dimensional contiguous buffer of 32-bit integers; None for anything else."""
    if isinstance(tokens, (list, tuple, range)):
        return None
    if isinstance(tokens, (str, bytes, bytearray)):
        raise TypeError(f"tokens are integers, not {type(tokens).__name__}")
    try:
        view = memoryview(tokens)  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        return None
    if view.ndim != 1:
        raise InvalidArgument(f"tokens have one dimension, not {view.ndim}")
    letter = view.format.lstrip("@=<")
    if letter not in ("b", "B", "h", "H", "i", "I", "l", "L", "q", "Q"):
        raise TypeError(f'tokens are integers, and this buffer holds items of format "{view.format}"')
    if view.itemsize != 4 or letter not in ("i", "l") or not view.c_contiguous:
        return None
    return view if view.format in ("i", "l") else memoryview(array("i", bytes(view)))


def _int32_array(tokens: Tokens) -> array[int]:
    try:
        return array("i", tokens.tolist() if hasattr(tokens, "tolist") else tokens)  # type: ignore[arg-type]
    except OverflowError as error:
        raise InvalidArgument(f"a token does not fit 32 bits ({error})") from None
    except TypeError as error:
        raise TypeError(f"tokens are a sequence of int, or a buffer of 32-bit integers ({error})") from None


_HUGE_BYTES = 2 << 20
_MAPPED_FROM_BYTES = 1 << 20


def allocate(size: int) -> memoryview:
    """A fresh writable buffer of `size` zero bytes, for exports and reads that are to be used again and again.

    A large one is mapped, in huge pages where the system has them: its memory comes from the system at the first
    write, zeroed once, in steps of 2 MiB instead of 4 KiB. It is given back when the last view of it is gone.
    """
    if size < 0:
        raise InvalidArgument(f"a buffer's size is not negative: {size}")
    if size < _MAPPED_FROM_BYTES:
        return memoryview(bytearray(size))
    advice = getattr(mmap, "MADV_HUGEPAGE", None)
    private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    if advice is None or size < _HUGE_BYTES:
        return memoryview(mmap.mmap(-1, size, **private))[:size]
    # Room for beginning at a huge page's boundary; untouched, it is free. Shared memory, which mmap() gives where it is
    # not told otherwise, has no huge pages.
    mapped = mmap.mmap(-1, size + _HUGE_BYTES, **private)
    try:
        mapped.madvise(advice)
    except OSError:
        pass  # a kernel without huge pages
    view = memoryview(mapped)
    start = -address_of(view) % _HUGE_BYTES
    return view[start : start + size]
