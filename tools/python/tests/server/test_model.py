"""What keeps the states of one server from another's: weights, adapters, options, the length of some contexts."""

from __future__ import annotations

import os
import tempfile
import unittest
from pathlib import Path

import proxy  # noqa: F401  (finds the package and the library)

from kvpager.server.model import adapter_label, context_settings, model_label, value_settings


class ModelTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.before = os.environ.get("KVPAGER_CACHE")
        os.environ["KVPAGER_CACHE"] = str(self.folder / "cache")
        self.addCleanup(self._restore)

    def _restore(self) -> None:
        if self.before is None:
            del os.environ["KVPAGER_CACHE"]
        else:
            os.environ["KVPAGER_CACHE"] = self.before

    def model(self, name: str, content: bytes) -> dict[str, object]:
        path = self.folder / name
        path.write_bytes(content)
        return {"model_path": str(path), "default_generation_settings": {"n_ctx": 4096}}

    def test_one_byte_anywhere_in_the_weights_makes_another_model(self) -> None:
        weights = bytes(3 << 20)
        other = bytearray(weights)
        other[1_234_567] = 1
        first, same, changed = (
            model_label(self.model(name, content), {})
            for name, content in (("a.gguf", weights), ("b.gguf", weights), ("c.gguf", bytes(other)))
        )
        self.assertEqual(first, same)
        self.assertNotEqual(first, changed)

    def test_a_model_elsewhere_is_what_its_server_tells_of_it(self) -> None:
        one, other = (
            model_label({"model_path": "/elsewhere/m.gguf"}, {"data": [{"meta": {"size": size}}]}) for size in (1, 2))
        self.assertNotEqual(one, other)

    def test_adapters_count_where_they_are_in_use(self) -> None:
        self.assertEqual(adapter_label([{"path": "a.gguf", "scale": 0.0}]), "")
        self.assertNotEqual(
            adapter_label([{"path": "a.gguf", "scale": 1.0}]), adapter_label([{"path": "a.gguf", "scale": 0.5}]))

    def test_options_and_variables_that_change_values_count_and_others_do_not(self) -> None:
        self.assertEqual(value_settings(["--threads", "2"], {"LLAMA_ARG_PORT": "1", "HOME": "/"}), {})
        self.assertEqual(
            value_settings(["--rope-freq-base", "5000", "--threads", "2"], {}),
            value_settings(["--rope-freq-base=5000"], {}))
        self.assertEqual(
            value_settings([], {"LLAMA_ARG_ROPE_FREQ_BASE": "5000"}), {"LLAMA_ARG_ROPE_FREQ_BASE": "5000"})

    def test_the_contexts_length_counts_where_the_models_keys_depend_on_it(self) -> None:
        self.assertEqual(context_settings(self.model("plain.gguf", b"GGUF llama.rope.freq_base")), {})
        long = self.model("long.gguf", b"GGUF phi3.rope.scaling.original_context_length")
        self.assertEqual(context_settings(long), {"n_ctx": "4096"})


if __name__ == "__main__":
    unittest.main()
