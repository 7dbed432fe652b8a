"""The command under test, and the golden store."""

from __future__ import annotations

import os
import shutil
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
KVPAGER = Path(os.environ.get("KVPAGER") or ROOT / ".build" / "debug" / "kvpager").resolve()
GOLDEN = ROOT / "data" / "golden" / "inspected-v1"


def golden_store(test: unittest.TestCase) -> Path:
    """A folder of the test's own, with a copy of the golden store as `kv`."""
    folder = Path(tempfile.mkdtemp(prefix="kvpager-command-"))
    test.addCleanup(shutil.rmtree, folder)
    (folder / "kv").mkdir()
    shutil.copy(GOLDEN / "data.mdb", folder / "kv" / "data.mdb")
    return folder
