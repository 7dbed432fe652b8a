"""What a model's weights are: the SHA-256 of their file, computed once per file.

Caches of different weights must never meet, and two files of one name may hold different weights, so that neither the
path nor the name will do. Hashing takes seconds per gigabyte; the digest is kept in the user's cache folder under the
file's path, size, inode and times, so that a restart does not hash again. The time of modification alone would not do:
whoever puts another file in its place can set it (cp -p, rsync -t), while nobody sets the time of the inode's change.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

_log = logging.getLogger("kvpager.llama")
SETTLED_NANOSECONDS = 50_000_000
_SPLIT = re.compile(r"^(?P<stem>.*)-(?P<index>\d{5})-of-(?P<count>\d{5})\.gguf$")


def cache_folder() -> Path:
    """Where kvpager keeps what it can compute again: $KVPAGER_CACHE, else kvpager/ in the user's cache folder."""
    named = os.environ.get("KVPAGER_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kvpager"


def parts_of(path: str | os.PathLike[str]) -> list[Path]:
    """The files of a model: itself, or all parts where its name ends in -00001-of-00003.gguf."""
    first = Path(path)
    match = _SPLIT.match(first.name)
    if not match:
        return [first]
    count = int(match["count"])
    return [first.with_name(f"{match['stem']}-{index:05}-of-{match['count']}.gguf") for index in range(1, count + 1)]


def model_digest(path: str | os.PathLike[str]) -> str:
    """`sha256:` and 64 hexadecimal digits over the model's file (over its parts' digests where it has several).

    Raises OSError where a file cannot be read.
    """
    digests = [_file_digest(part) for part in parts_of(path)]
    if len(digests) == 1:
        return f"sha256:{digests[0]}"
    return f"sha256:{hashlib.sha256(''.join(digests).encode()).hexdigest()}"


def _file_digest(path: Path) -> str:
    path = path.resolve()
    before = _stamp(path)
    entry = cache_folder() / "digests" / f"{hashlib.sha256(str(path).encode()).hexdigest()[:32]}.json"
    try:
        known = json.loads(entry.read_text())
        if known["file"] == before and re.fullmatch("[0-9a-f]{64}", known["sha256"]):
            return str(known["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not computed yet, or not readable: it is computed
    age = time.time_ns() - before[-1]
    digest = hashlib.sha256()
    buffer = bytearray(4 << 20)
    view = memoryview(buffer)
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(view[:count])
    # A file that changes meanwhile has no digest worth keeping, and one that has just changed may change again within
    # the clock's tick, unseen.
    if _stamp(path) == before and age > SETTLED_NANOSECONDS:
        _keep(entry, {"file": before, "sha256": digest.hexdigest()})
    return digest.hexdigest()


def _stamp(path: Path) -> list[Any]:
    status = path.stat()
    return [str(path), status.st_size, status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns]


def _keep(entry: Path, value: dict[str, object]) -> None:
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=entry.parent)
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(value, file)
            os.replace(name, entry)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        _log.info("the model's digest is not kept, the next start computes it again: %s", error)
