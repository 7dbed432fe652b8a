"""The folder in which slot files lie for the moment between llama-server and the store."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Optional

_PREFIX = "kvpager-llama-server-"
#: Free bytes that a folder in memory must have to be preferred: a slot file can be as large as a slot's whole cache.
ROOM_BYTES = 2 << 30


class Scratch:
    """A folder for slot files: a private one that goes away again, or one that is given and stays.

    A private one lies in memory (/dev/shm) where that has room. What killed predecessors left is removed first; a lock
    on a file tells them from those that are in use.
    """

    def __init__(self, given: Optional[str] = None) -> None:
        self._lock: Optional[int] = None
        if given is not None:
            self.folder = Path(given).resolve()
            self.private = False
            if not self.folder.is_dir():
                raise OSError(f"{given} is no folder: give the one that llama-server was started with")
            return
        self.private = True
        base = _base()
        _remove_abandoned(base)
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def new_file(self) -> Path:
        """A name that no file has, and that no client knows or chose."""
        return self.folder / f"kvpager-{uuid.uuid4().hex}.bin"

    def has_room(self, byte_count: int) -> bool:
        """Whether a file of so many bytes fits."""
        return shutil.disk_usage(self.folder).free > byte_count + (64 << 20)

    def close(self) -> None:
        """Removes the folder where it is this program's own."""
        if self.private:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _base() -> str:
    memory = "/dev/shm"
    try:
        if os.access(memory, os.W_OK | os.X_OK) and shutil.disk_usage(memory).free >= ROOM_BYTES:
            return memory
    except OSError:
        pass
    return tempfile.gettempdir()


def _remove_abandoned(base: str) -> None:
    """Removes folders of this user whose lock nobody holds."""
    for folder in Path(base).glob(_PREFIX + "*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            lock = os.open(folder / "lock", os.O_RDWR | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass
        finally:
            os.close(lock)
