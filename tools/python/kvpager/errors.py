"""What can go wrong: one exception class per status of the C interface, all of them `Error`s."""

from __future__ import annotations


class Error(Exception):
    """A call that failed: what is wrong and what helps.

    After any error reads still work and nothing committed is lost. `message` is for people; `code` names the kind, such
    as "quotaFull", as the C interface and `kvpager --json` do, and `status` is its number.
    """

    code: str = "unknown"
    status: int = -1

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidArgument(Error, ValueError):
    """A value that cannot be meant; the message names it."""

    code, status = "invalidArgument", 1


class NotFound(Error, LookupError):
    """No such session, space or store."""

    code, status = "notFound", 2


class AlreadyExists(Error):
    """A session of that name exists."""

    code, status = "alreadyExists", 3


class Conflict(Error):
    """Another process changed the session since it was resumed: resume it again."""

    code, status = "conflict", 4


class BudgetTooSmall(Error):
    """The RAM budget does not hold one block of the layout."""

    code, status = "budgetTooSmall", 5


class PoolExhausted(Error):
    """More blocks are in use at one time than the RAM budget holds."""

    code, status = "poolExhausted", 6


class QuotaFull(Error):
    """What sessions hold, and what is to be stored, does not fit the disk quota."""

    code, status = "quotaFull", 7


class DiskFull(Error):
    """The disk is full."""

    code, status = "diskFull", 8


class MapFull(Error):
    """The environment's map is full."""

    code, status = "mapFull", 9


class PermissionDenied(Error):
    """The operating system refuses access."""

    code, status = "permissionDenied", 10


class ReadOnly(Error):
    """The store is open for reading only."""

    code, status = "readOnly", 11


class VersionTooNew(Error):
    """A newer kvpager wrote the store."""

    code, status = "versionTooNew", 12


class ForeignByteOrder(Error):
    """A machine of the other byte order wrote the store."""

    code, status = "foreignByteOrder", 13


class Damaged(Error):
    """The store's file, or a record in it, is damaged: `kvpager verify` says where."""

    code, status = "damaged", 14


class NotAStore(Error):
    """The path holds something, but no kvpager store."""

    code, status = "notAStore", 15


class Busy(Error):
    """The store is open already in this process."""

    code, status = "busy", 16


class BlockLost(Error):
    """A block that a session needs is gone from both tiers."""

    code, status = "blockLost", 17


class Closed(Error):
    """The store was closed under this object."""

    code, status = "closed", 18


class Forked(Error):
    """The process is a fork()ed child of the one that opened the store: open the store anew in the child."""

    code, status = "forked", 19


class InputOutput(Error):
    """The operating system reported an error that is none of the others."""

    code, status = "inputOutput", 20


class Malformed(Error, ValueError):
    """An engine's state that is none, or is damaged; the message names the offset."""

    code, status = "malformed", 21


class InvalidHandle(Closed):
    """The object itself was closed."""

    code, status = "invalidHandle", 22


class BufferTooSmall(Error):
    """The buffer given is smaller than what is to be written; nothing was written."""

    code, status = "bufferTooSmall", 23


class LibraryUnavailable(Error, ImportError):
    """libkvpager is not there, does not load, or is of another ABI version than this package."""

    code = "libraryUnavailable"


#: Every class that answers a status, by the status's number.
BY_STATUS: dict[int, type[Error]] = {
    kind.status: kind
    for kind in (
        InvalidArgument, NotFound, AlreadyExists, Conflict, BudgetTooSmall, PoolExhausted, QuotaFull, DiskFull,
        MapFull, PermissionDenied, ReadOnly, VersionTooNew, ForeignByteOrder, Damaged, NotAStore, Busy, BlockLost,
        Closed, Forked, InputOutput, Malformed, InvalidHandle, BufferTooSmall,
    )
}  # fmt: skip


def error_for(status: int, message: str) -> Error:
    """The exception for a status that a call returned."""
    kind = BY_STATUS.get(status)
    if kind is not None:
        return kind(message)
    error = Error(message)
    error.status = status
    return error
