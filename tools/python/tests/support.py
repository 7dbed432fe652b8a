"""What the tests share: the samples, stores in temporary folders, and other processes."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
from array import array
from pathlib import Path

#: The clone, which holds samples, header and README; the package may be imported from elsewhere (a wheel).
REPOSITORY = Path(os.environ.get("KVPAGER_REPOSITORY") or Path(__file__).resolve().parents[3])
SAMPLES = REPOSITORY / "data/samples"

try:
    import kvpager
except ModuleNotFoundError:  # not installed: the clone's own
    sys.path.insert(0, str(REPOSITORY / "tools/python"))
    import kvpager

LAYERS = 30
ROW_BYTES = 384
#: The planes of the safetensors sample, in the order in which `sample_rows` gives their rows.
PLANES = [kvpager.Plane(kind, layer, "f16", ROW_BYTES) for layer in range(LAYERS) for kind in ("keys", "values")]

LONG_SAMPLE = SAMPLES / "smollm2-135m_512tok_f16_fa.v4.ggsq"
SHORT_SAMPLES = sorted(SAMPLES.glob("smollm2-135m_*tok_*.ggsq"))


def sample_rows() -> tuple[list[int], list[memoryview]]:
    """The 512 tokens of the safetensors sample, and the rows of each plane: views of 512 x 384 bytes."""
    data = memoryview((SAMPLES / "smollm2-135m_512tok_f16.safetensors").read_bytes())
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(bytes(data[8 : 8 + length]))

    def tensor(name: str) -> memoryview:
        begin, end = header[name]["data_offsets"]
        return data[8 + length + begin : 8 + length + end]

    letter = {"I32": "i", "I64": "q"}[header["token_ids"]["dtype"]]
    tokens = array(letter, bytes(tensor("token_ids"))).tolist()
    names = {"keys": "k", "values": "v"}
    return tokens, [tensor(f"layers.{plane.layer}.{names[plane.kind]}") for plane in PLANES]


def part(rows: list[memoryview], first: int, end: int) -> list[memoryview]:
    """The rows of tokens [first, end) of every plane."""
    return [plane[first * ROW_BYTES : end * ROW_BYTES] for plane in rows]


def empty_rows(token_count: int) -> list[bytearray]:
    """Buffers into which the rows of `token_count` tokens can be read."""
    return [bytearray(token_count * ROW_BYTES) for _ in PLANES]


class StoreCase(unittest.TestCase):
    """A test with a folder for a store."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "store"

    def open(self, **options: object) -> kvpager.Store:
        """The store, closed at the test's end."""
        store = kvpager.Store(self.path, **{"memory": "64MiB", **options})  # type: ignore[arg-type]
        self.addCleanup(store.close)
        return store

    def space(self, store: kvpager.Store, **options: object) -> kvpager.Space:
        return store.space(model="smollm2-135m", planes=PLANES, **options)  # type: ignore[arg-type]


def run_python(code: str, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs code in a Python process of its own, which finds the package and this module as this process does."""
    package = str(Path(kvpager.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([package, str(Path(__file__).parent)])}
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=300
    )
    if check and result.returncode != 0:
        raise AssertionError(f"the process ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result
