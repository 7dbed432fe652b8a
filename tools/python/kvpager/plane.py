"""What the rows of a cache look like, plane by plane."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Bytes of one item as buffers may hold it, by element type; types left out come as bytes only.
ITEM_BYTES = {"f32": 4, "f16": 2, "bf16": 2, "i8": 1}

#: Struct-module letters of the items that a buffer of a type may have, beside bytes.
ITEM_FORMATS = {"f32": "fiIlL", "f16": "ehH", "bf16": "hH", "i8": "bB"}


@dataclass(frozen=True)
class Plane:
    """One tensor's rows: the keys or the values of one layer, one row a token.

    kind: "keys" or "values". layer: from 0. type: "f32", "f16", "bf16", "i8", "q8_0", "q4_0" or "raw".
    row_bytes: bytes of one token's row, all heads together.
    """

    kind: str
    layer: int
    type: str
    row_bytes: int

    def __str__(self) -> str:
        return f"{self.kind} of layer {self.layer}, {self.type}"

    def descriptor(self) -> dict[str, Any]:
        """The plane as the C interface's JSON has it."""
        return {"kind": self.kind, "layer": self.layer, "type": self.type, "rowBytes": self.row_bytes}

    @classmethod
    def from_descriptor(cls, members: Mapping[str, Any]) -> Plane:
        """The plane that the C interface's JSON tells of."""
        return cls(members["kind"], members["layer"], members["type"], members["rowBytes"])
