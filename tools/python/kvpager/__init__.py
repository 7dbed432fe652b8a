"""kvpager: a persistent KV-cache store for LLM inference.

A chat resumes after a restart without computing its prompt again, and a prefix computed once is shared by every
session, process and restart that begins with it.

    with kvpager.Store("kv", memory="64MiB") as store:
        space = store.space(model="smollm2-135m", planes=planes)
        with space.create("monday") as chat:
            chat.append(tokens, rows)
            chat.commit()
        with space.find(prompt) as known:
            known.read(buffers)

All methods may be called from any thread. Errors are `kvpager.Error`s, one class per kind.
"""

from ._export import ExportOptions
from ._library import library_path, tune_malloc
from ._library import version as library_version
from ._memory import allocate
from ._version import __version__
from .errors import (
    AlreadyExists,
    BlockLost,
    BudgetTooSmall,
    BufferTooSmall,
    Busy,
    Closed,
    Conflict,
    Damaged,
    DiskFull,
    Error,
    ForeignByteOrder,
    Forked,
    InputOutput,
    InvalidArgument,
    InvalidHandle,
    LibraryUnavailable,
    Malformed,
    MapFull,
    NotAStore,
    NotFound,
    PermissionDenied,
    PoolExhausted,
    QuotaFull,
    ReadOnly,
    VersionTooNew,
)
from .info import SessionInfo
from .plane import Plane
from .prefix import Prefix
from .session import Session
from .space import Space
from .state import State
from .store import Store

__all__ = [
    "AlreadyExists",
    "BlockLost",
    "BudgetTooSmall",
    "BufferTooSmall",
    "Busy",
    "Closed",
    "Conflict",
    "Damaged",
    "DiskFull",
    "Error",
    "ExportOptions",
    "ForeignByteOrder",
    "Forked",
    "InputOutput",
    "InvalidArgument",
    "InvalidHandle",
    "LibraryUnavailable",
    "Malformed",
    "MapFull",
    "NotAStore",
    "NotFound",
    "PermissionDenied",
    "Plane",
    "PoolExhausted",
    "Prefix",
    "QuotaFull",
    "ReadOnly",
    "Session",
    "SessionInfo",
    "Space",
    "State",
    "Store",
    "VersionTooNew",
    "__version__",
    "allocate",
    "library_path",
    "library_version",
    "tune_malloc",
]
