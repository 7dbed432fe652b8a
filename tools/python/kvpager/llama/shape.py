"""What a context's states look like around their rows, and which cache spaces hold rows of such a context.

llama.cpp reads a state only in its own version, for its own number of streams, with values in its own order. A state
that the context gave tells all of that. A fresh process has none: the settings of the cache space tell it, and the
first 16 bytes that even an empty context gives.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import kvpager

from .engine import Engine

_BLOB_MAGIC = 0xAF143CD8
_QUANTISED = ("q8_0", "q4_0", "raw")

# A name in a space's settings: its sessions' states can only be taken whole ("whole": rows and a checkpoint;
# "opaque": a checkpoint alone, rows of one byte stand for the tokens).
WHOLENESS = "kvpager.state"


def own_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings of a space without those that come from a state."""
    return {name: value for name, value in settings.items() if not name.startswith(("llama.", "kvpager."))}


def row_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """What a state's settings say about its rows: equal for a sequence's blob and for the context's.

    The architecture is the model's and stands in one container only. Versions 2 and 3 differ in nothing that rows are
    made of, and a container without a header does not tell them apart.
    """
    result = {name: value for name, value in settings.items() if name != "llama.arch"}
    if result.get("llama.version") == "2":
        result["llama.version"] = "3"
    return result


@dataclass(frozen=True)
class ContextShape:
    """How a context writes and reads states."""

    options: Mapping[str, Any]
    """Options of `Prefix.export`."""
    planes: tuple[tuple[object, ...], ...]
    settings: Mapping[str, str]
    can_be_cut: bool
    """Whether the context's memory is exact after it was cut at a token: no sliding windows, no recurrent memory."""

    @classmethod
    def of(cls, state: kvpager.State) -> ContextShape:
        return cls(
            options=dict(state.shape), planes=plane_key(state.planes), settings=row_settings(state.settings),
            can_be_cut=state.checkpoint_size == 0)  # fmt: skip

    def takes(self, space: Mapping[str, Any]) -> bool:
        """Whether rows of `space` (its description) can be written for this context."""
        if plane_key(space["planes"]) != self.planes:
            return False
        quantised = any(plane[2] in _QUANTISED for plane in self.planes)
        rotations = ("llama.n_rot_k", "llama.n_rot_v", "llama.types_k", "llama.types_v")
        theirs = space["settings"]
        return not quantised or all(theirs.get(name) == self.settings.get(name) for name in rotations)


def plane_key(planes: Iterable[Any]) -> tuple[tuple[object, ...], ...]:
    """Planes as values that can be compared, whether they are `kvpager.Plane`s or members of a description."""
    def key(plane: Any) -> tuple[object, ...]:
        if isinstance(plane, Mapping):
            return (plane["kind"], plane["layer"], plane["type"], plane["rowBytes"])
        return (plane.kind, plane.layer, plane.type, plane.row_bytes)
    return tuple(key(plane) for plane in planes)


@dataclass(frozen=True)
class Glance:
    """What an empty context tells."""

    has_header: bool = True
    streams: int | None = None


def glance(state: bytes) -> Glance:
    """Reads the beginning of a state, which is there even where the sequence is empty."""
    has_header = len(state) >= 8 and struct.unpack_from("<I", state)[0] == _BLOB_MAGIC
    start = 8 if has_header else 0
    if len(state) < start + 4:
        return Glance(has_header)
    streams = struct.unpack_from("<I", state, start)[0]
    return Glance(has_header, streams if 1 <= streams <= 4096 else None)


def options_from(settings: Mapping[str, str], engine: Engine, seen: Glance) -> dict[str, Any]:
    """Export options for `engine` from a space's settings, for a process that has seen no state yet."""
    streams = seen.streams or engine.streams
    options: dict[str, Any] = {
        "format": "llama-blob", "version": int(settings.get("llama.version", "3")),
        "transposed": settings.get("llama.v_trans") == "1", "streams": streams,
        "stream": engine.sequence if engine.sequence < streams else 0, "sequence": engine.sequence,
        "blob_header": seen.has_header}  # fmt: skip
    if "llama.n_rot_k" in settings:
        options["rotation"] = [int(settings["llama.n_rot_k"]), int(settings.get("llama.n_rot_v", "0"))]
    return options
