"""The report's schema holds those of the answers that it holds, as they are now."""

from __future__ import annotations

import subprocess
import sys
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "report_schema.py"


class TheSchemaOfReports(unittest.TestCase):
    def test_it_is_made_of_the_schemas_beside_it(self) -> None:
        done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
