"""A store: a folder with a budget, in which cache spaces and sessions are."""

from __future__ import annotations

import ctypes
import os
import warnings
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ._handle import Handle
from ._library import ask_json, check, count_of, json_text, library, path_text, text
from ._sizes import Size, byte_count
from .info import SessionInfo
from .plane import Plane

if TYPE_CHECKING:
    from typing import Literal

    from .session import Session
    from .space import Space


class Store(Handle):
    """An open store. Any number of processes may have a store open; one process opens it once.

    path: the folder. memory: RAM for decoded blocks, in bytes or as "64MiB" (default 1 GiB). quota: most bytes on disk;
    None for no limit. access: "create" makes the store where there is none, "write" does not, "read" changes nothing.
    durability: "full", or "lastCommitMayBeLost" for commits that a power loss may take back (a killed process never).
    load_threads: 0 to 256. write_batch: bytes of frames that are written at a time. map_size: address space, which
    bounds the file.

    Raises `Busy` where this process has it open, `NotFound`, `NotAStore`, `Damaged`, `VersionTooNew`,
    `PermissionDenied`, and `LibraryUnavailable` where libkvpager cannot be loaded.
    """

    _kind = "store"
    _close_name = "kvpager_store_close"

    def __init__(
        self,
        path: str | os.PathLike[str],
        memory: Size | None = None,
        quota: Size | None = None,
        access: Literal["create", "write", "read"] = "create",
        durability: Literal["full", "lastCommitMayBeLost"] = "full",
        load_threads: int = 2,
        write_batch: Size | None = None,
        map_size: Size | None = None,
    ) -> None:
        options = json_text({
            "access": access,
            "memoryBytes": None if memory is None else byte_count(memory, "memory"),
            "quotaBytes": None if quota is None else byte_count(quota, "quota"),
            "durability": durability,
            "loadThreads": load_threads,
            "writeBatchBytes": None if write_batch is None else byte_count(write_batch, "write_batch"),
            "mapBytes": None if map_size is None else byte_count(map_size, "map_size"),
        })  # fmt: skip
        value = ctypes.c_uint64()
        check(library().kvpager_store_open(path_text(path), options, ctypes.byref(value)))
        super().__init__(value.value)
        self.path: str = os.path.abspath(os.fsdecode(path))

    def __repr__(self) -> str:
        return f"<kvpager.Store {self.path!r}{' closed' if self.closed else ''}>"

    def __del__(self, _warn: Any = warnings.warn) -> None:
        if getattr(self, "_slot", None) is not None and self._slot.values and self._finalizer.alive:
            try:
                _warn(f"unclosed {self!r}: use it in a `with` statement, or call close()", ResourceWarning, source=self)
            finally:
                self._finalizer()  # also where whoever got the warning keeps its source

    def close(self) -> None:
        """Writes back what is not on disk yet and closes the store with everything opened under it.

        It is closed also where this raises: cached blocks were lost then, committed sessions were not.
        """
        super().close()

    # ---- Cache spaces

    def space(
        self,
        model: str,
        planes: Iterable[Plane],
        adapter: str = "",
        settings: Mapping[str, str] | None = None,
        salt: str = "",
        block_tokens: int = 64,
        vllm_seed: str | None = None,
    ) -> Space:
        """Opens a cache space, which is made where there is none: two that differ in anything here share no block.

        model: what the weights are: a label, better a digest of their file. planes: in the order in which rows are
        given later. adapter: a LoRA or the like. settings: the engine's settings that change values. salt: keeps
        tenants apart. block_tokens: tokens in a block. vllm_seed: makes block hashes equal to vLLM's with that
        PYTHONHASHSEED.
        """
        from .space import Space

        descriptor = _descriptor(model, adapter, settings, salt, block_tokens, vllm_seed)
        descriptor["planes"] = [plane.descriptor() for plane in planes]
        value = ctypes.c_uint64()
        check(library().kvpager_space_open(self._value, json_text(descriptor), ctypes.byref(value)))
        return Space(self, value.value)

    def space_by_id(self, id: int) -> Space:
        """Opens a cache space that exists, by the "id" that `spaces()` tells."""
        from .space import Space

        value = ctypes.c_uint64()
        check(library().kvpager_space_open_id(self._value, count_of(id, "id"), ctypes.byref(value)))
        return Space(self, value.value)

    def spaces(self) -> list[dict[str, Any]]:
        """The cache spaces, as `Space.description` tells of each."""
        found: list[dict[str, Any]] = ask_json(library().kvpager_store_spaces, self._value)
        return found

    # ---- Sessions

    def sessions(self) -> list[SessionInfo]:
        """The committed sessions, by space and name."""
        return [SessionInfo._from_json(one) for one in ask_json(library().kvpager_store_sessions, self._value)]

    def session(self, name: str) -> Session:
        """Resumes a committed session, in whichever space it is. Raises `NotFound`, and `InvalidArgument` where
        several spaces have one of that name (`Space.session` tells them apart)."""
        from .session import Session

        value = ctypes.c_uint64()
        check(library().kvpager_session_resume(self._value, text(name, "name"), ctypes.byref(value)))
        return Session(self, value.value)

    def delete(self, name: str) -> None:
        """Deletes a committed session, in whichever space it is. Its blocks stay as cache while the quota lets them."""
        check(library().kvpager_store_delete_session(self._value, text(name, "name")))

    # ---- The whole

    def statistics(self) -> dict[str, Any]:
        """Counts and bytes, as `kvpager stats --json` names them, and under "memory" what this process did."""
        found: dict[str, Any] = ask_json(library().kvpager_store_statistics, self._value)
        return found

    def write_back(self) -> None:
        """Makes every cached block durable, sessions' or not."""
        check(library().kvpager_store_write_back(self._value))

    def collect_garbage(self) -> dict[str, int]:
        """Deletes expired sessions and what the quota says is too much. Returns "expiredSessions", "deletedBlocks",
        "freedBytes" and "keptExtents"."""
        found: dict[str, int] = ask_json(library().kvpager_store_collect_garbage, self._value)
        return found


def _descriptor(
    model: str,
    adapter: str,
    settings: Mapping[str, str] | None,
    salt: str,
    block_tokens: int,
    vllm_seed: str | None,
) -> dict[str, Any]:
    return {
        "model": model,
        "adapter": adapter or None,
        "settings": dict(settings) if settings else None,
        "salt": salt or None,
        "blockTokens": block_tokens,
        "vllmSeed": vllm_seed,
    }
