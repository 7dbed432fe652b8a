"""libkvpager through ctypes: finding and loading it, its functions' types, and the way from a status to an exception.

ctypes lets other Python threads run while a call into the library is under way.
"""

from __future__ import annotations

import ctypes
import json
import operator
import os
import sys
import threading
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_uint64, c_void_p
from pathlib import Path
from typing import Any, Literal

from .errors import InvalidArgument, LibraryUnavailable, error_for

ABI_VERSION = 1
BUFFER_TOO_SMALL = 23

#: How a block that the store has already is met: see `Session.append`.
Sharing = Literal["identity", "content"]

#: `kvpager_sharing`.
SHARING = {"identity": 0, "content": 1}


_handle = c_uint64
_out_handle = POINTER(c_uint64)
_out_text = POINTER(c_void_p)  # not c_char_p, which ctypes turns into bytes: the text must be given back
_out_count = POINTER(c_int64)
_tokens = c_void_p  # const int32_t *
_rows = c_void_p  # const kvpager_rows *
_status = c_int32

#: Result and parameters of every function of kvpager.h, in its order. A test holds this table to the header.
PROTOTYPES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "kvpager_abi_version": (c_int32, ()),
    "kvpager_version": (c_char_p, ()),
    "kvpager_status_name": (c_char_p, (_status,)),
    "kvpager_last_error": (c_char_p, ()),
    "kvpager_free": (None, (c_void_p,)),
    "kvpager_tune_malloc": (None, ()),
    "kvpager_store_open": (_status, (c_char_p, c_char_p, _out_handle)),
    "kvpager_store_close": (_status, (_handle,)),
    "kvpager_store_statistics": (_status, (_handle, _out_text)),
    "kvpager_store_sessions": (_status, (_handle, _out_text)),
    "kvpager_store_spaces": (_status, (_handle, _out_text)),
    "kvpager_store_write_back": (_status, (_handle,)),
    "kvpager_store_collect_garbage": (_status, (_handle, _out_text)),
    "kvpager_store_delete_session": (_status, (_handle, c_char_p)),
    "kvpager_space_open": (_status, (_handle, c_char_p, _out_handle)),
    "kvpager_space_open_id": (_status, (_handle, c_int64, _out_handle)),
    "kvpager_space_describe": (_status, (_handle, _out_text)),
    "kvpager_space_insert": (_status, (_handle, _tokens, c_int64, _rows, c_int64, c_int32)),
    "kvpager_space_insert_state": (_status, (_handle, _handle, c_int32)),
    "kvpager_space_longest_checkpoint": (_status, (_handle, _tokens, c_int64, _out_text)),
    "kvpager_space_resume": (_status, (_handle, c_char_p, _out_handle)),
    "kvpager_space_delete_session": (_status, (_handle, c_char_p)),
    "kvpager_space_close": (_status, (_handle,)),
    "kvpager_prefix_find": (_status, (_handle, _tokens, c_int64, _out_handle, _out_count)),
    "kvpager_prefix_describe": (_status, (_handle, _out_text)),
    "kvpager_prefix_read": (_status, (_handle, c_int64, c_int64, _rows, c_int64, _out_count)),
    "kvpager_prefix_prefetch": (_status, (_handle,)),
    "kvpager_prefix_export": (_status, (_handle, c_int64, c_char_p, c_void_p, c_int64, _out_count)),
    "kvpager_prefix_close": (_status, (_handle,)),
    "kvpager_session_create": (_status, (_handle, c_char_p, _handle, _tokens, c_int64, _out_handle)),
    "kvpager_session_resume": (_status, (_handle, c_char_p, _out_handle)),
    "kvpager_session_space": (_status, (_handle, _out_handle)),
    "kvpager_session_describe": (_status, (_handle, _out_text)),
    "kvpager_session_tokens": (_status, (_handle, _tokens, c_int64, _out_count)),
    "kvpager_session_append": (_status, (_handle, _tokens, c_int64, _rows, c_int64, c_int32)),
    "kvpager_session_take_state": (_status, (_handle, _handle, c_int32)),
    "kvpager_session_read": (_status, (_handle, c_int64, c_int64, _rows, c_int64)),
    "kvpager_session_prefetch": (_status, (_handle,)),
    "kvpager_session_commit": (_status, (_handle,)),
    "kvpager_session_fork": (_status, (_handle, c_char_p, c_int64, _out_handle)),
    "kvpager_session_truncate": (_status, (_handle, c_int64)),
    "kvpager_session_rename": (_status, (_handle, c_char_p)),
    "kvpager_session_set_metadata": (_status, (_handle, c_char_p, c_char_p)),
    "kvpager_session_set_expiry": (_status, (_handle, c_int64)),
    "kvpager_session_set_checkpoint": (_status, (_handle, c_void_p, c_int64)),
    "kvpager_session_checkpoint": (_status, (_handle, c_void_p, c_int64, _out_count)),
    "kvpager_session_export": (_status, (_handle, c_int64, c_char_p, c_void_p, c_int64, _out_count)),
    "kvpager_session_export_file": (_status, (_handle, c_int64, c_char_p, c_char_p, _out_count)),
    "kvpager_session_close": (_status, (_handle,)),
    "kvpager_state_open": (_status, (c_void_p, c_int64, _tokens, c_int64, _out_handle)),
    "kvpager_state_open_file": (_status, (c_char_p, _tokens, c_int64, _out_handle)),
    "kvpager_state_describe": (_status, (_handle, _out_text)),
    "kvpager_state_tokens": (_status, (_handle, _tokens, c_int64, _out_count)),
    "kvpager_state_space": (_status, (_handle, _handle, c_char_p, _out_handle)),
    "kvpager_state_close": (_status, (_handle,)),
}

_loaded: ctypes.CDLL | None = None
_loading = threading.Lock()


def library() -> ctypes.CDLL:
    """The library, loaded by the first call. Raises `LibraryUnavailable`."""
    global _loaded
    if _loaded is None:
        with _loading:
            if _loaded is None:
                _loaded = _load(library_path())
    return _loaded


def library_path() -> Path:
    """Where the library is looked for: `KVPAGER_LIBRARY` (a file), else `lib/` beside this package, as in the wheel."""
    named = os.environ.get("KVPAGER_LIBRARY")
    if named:
        return Path(named)
    return Path(__file__).parent / "lib" / ("libkvpager.dylib" if sys.platform == "darwin" else "libkvpager.so")


def _load(path: Path) -> ctypes.CDLL:
    remedy = "install the wheel that tools/wheel builds, or name a library that tools/library built in KVPAGER_LIBRARY"
    if not path.is_file():
        raise LibraryUnavailable(f"there is no libkvpager at {path}: {remedy}")
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise LibraryUnavailable(f"{path} does not load on this machine ({error}): {remedy}") from error
    try:
        loaded.kvpager_abi_version.restype = c_int32
        abi_version = loaded.kvpager_abi_version()
        if abi_version != ABI_VERSION:
            raise LibraryUnavailable(
                f"{path} has ABI version {abi_version}, and this package needs {ABI_VERSION}: use package and library "
                "of one release"
            )
        for name, (result, parameters) in PROTOTYPES.items():
            function = getattr(loaded, name)
            function.restype = result
            function.argtypes = parameters
    except AttributeError as error:
        raise LibraryUnavailable(f"{path} lacks a function of kvpager.h ({error}): {remedy}") from error
    return loaded


def check(status: int) -> None:
    """Raises the exception that a status stands for; nothing for 0. To be called right after the call that failed."""
    if status:
        raise error_for(status, (library().kvpager_last_error() or b"").decode(errors="replace"))


def take_text(pointer: c_void_p) -> str | None:
    """The text that a function handed out, which is given back to the library; None for NULL."""
    if not pointer.value:
        return None
    try:
        return ctypes.string_at(pointer.value).decode()
    finally:
        library().kvpager_free(pointer)


def ask_json(function: Callable[..., int], handle: int) -> Any:
    """What a function that hands out JSON says about a handle."""
    pointer = c_void_p()
    check(function(handle, ctypes.byref(pointer)))
    return json.loads(take_text(pointer) or "null")


def text(value: str, what: str) -> bytes:
    """UTF-8 for a parameter of the C interface. `what` is named where the value cannot be given."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is a str, not {type(value).__name__}")
    if "\0" in value:
        raise InvalidArgument(f"{what} must not hold a NUL character")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(f"{what} is no valid Unicode text ({error})") from error


def path_text(path: str | os.PathLike[str]) -> bytes:
    """A path for the C interface."""
    encoded = os.fsencode(path)
    if b"\0" in encoded:
        raise InvalidArgument("a path must not hold a NUL character")
    return encoded


def json_text(members: dict[str, Any]) -> bytes:
    """JSON for a parameter of the C interface; members that are None are left out."""
    return json.dumps({name: value for name, value in members.items() if value is not None}).encode()


def count_of(value: int, what: str) -> int:
    """A count or index for the C interface, which ctypes would cut to 64 bits without a word."""
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} is an int, not {type(value).__name__}") from None
    if not 0 <= count < 1 << 63:
        raise InvalidArgument(f"{what} is out of range: {count}")
    return count


def count_or_all(value: int | None, what: str) -> int:
    """A count for the C interface, or what means all to it for None."""
    return -1 if value is None else count_of(value, what)


def sharing_number(sharing: Sharing) -> int:
    """`kvpager_sharing` for "identity" or "content"."""
    try:
        return SHARING[sharing]
    except (KeyError, TypeError):
        raise InvalidArgument(f'sharing is "identity" or "content", not {sharing!r}') from None


def version() -> str:
    """The loaded library's own version."""
    return str(library().kvpager_version().decode())


def tune_malloc() -> None:
    """Raises glibc's malloc thresholds for the whole process, so that writing does not pay for page faults at each
    commit. For programs that own their process; does nothing on other systems."""
    library().kvpager_tune_malloc()
