"""The README's examples, word for word."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shutil
import unittest

from support import LONG_SAMPLE, REPOSITORY, StoreCase

README = REPOSITORY / "tools/python/README.md"


class ReadmeTests(StoreCase):
    def test_every_example_runs_in_the_order_of_the_page(self) -> None:
        examples = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.S)
        self.assertGreaterEqual(len(examples), 6)
        shutil.copy(LONG_SAMPLE, self.folder / "monday.ggsq")
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        names: dict[str, object] = {}
        printed = io.StringIO()
        for example in examples:
            if "import numpy" in example and importlib.util.find_spec("numpy") is None:
                continue
            with contextlib.redirect_stdout(printed):
                exec(compile(example, README.name, "exec"), names)
        lines = printed.getvalue().splitlines()
        self.assertIn(lines[0], README.read_text())
        self.assertIn("never", lines[1])
        self.assertEqual(names["blob"], names["buffer"])


if __name__ == "__main__":
    unittest.main()
