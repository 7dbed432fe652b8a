"""The README's examples for llama.cpp, word for word."""

from __future__ import annotations

import os
import re
import tempfile
import unittest

import scenario

import kvpager

README = scenario.PACKAGE / "README.md"


class ReadmeTests(unittest.TestCase):
    def test_every_example_on_a_real_model_runs_in_the_order_of_the_page(self) -> None:
        examples = re.findall(r"```py\n(.*?)```", README.read_text(), flags=re.S)
        self.assertGreaterEqual(len(examples), 2)
        names: dict[str, object] = {"kvpager": kvpager, "model_path": scenario.smollm2()}
        with tempfile.TemporaryDirectory() as folder:
            self.addCleanup(os.chdir, os.getcwd())
            os.chdir(folder)
            for example in examples:
                exec(compile(example, README.name, "exec"), names)
            self.assertEqual(names["held"], names["prompt"])
            with kvpager.Store("cache") as store:
                self.assertGreater(store.statistics()["blocks"]["unique"], 0)


if __name__ == "__main__":
    unittest.main()
