"""The operating system's page cache: what of a file lies in it, and how to empty it of a file."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path


def drop(paths: list[Path]) -> None:
    """Takes files out of the page cache. Nobody may have them open or mapped. Needs no privilege."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def resident_bytes(paths: list[Path]) -> int:
    """Bytes of the files that lie in the page cache."""
    libc = ctypes.CDLL(None, use_errno=True)
    total = 0
    for path in paths:
        size = path.stat().st_size
        if size == 0:
            continue
        with open(path, "rb") as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY) as mapped:
            pages = (size + mmap.PAGESIZE - 1) // mmap.PAGESIZE
            states = (ctypes.c_ubyte * pages)()
            anchor = ctypes.c_char.from_buffer(mapped)
            try:
                if libc.mincore(ctypes.c_void_p(ctypes.addressof(anchor)), ctypes.c_size_t(size), states) != 0:
                    raise OSError(ctypes.get_errno(), "mincore")
            finally:
                del anchor
            total += sum(state & 1 for state in states) * mmap.PAGESIZE
    return min(total, sum(path.stat().st_size for path in paths))
