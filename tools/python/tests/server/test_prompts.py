"""What is read out of a request's body, and what is left alone."""

from __future__ import annotations

import asyncio
import json
import unittest
from typing import Any

import proxy  # noqa: F401  (finds the package)
from kvpager.server.prompts import Generation, read_generation, takes_slot


def read(path: str, body: Any) -> Generation | None:
    return read_generation(path, body if isinstance(body, bytes) else json.dumps(body).encode())


def known(path: str, body: Any) -> Generation:
    found = read(path, body)
    assert found is not None
    return found


class FakeServer:
    """Answers /apply-template and /tokenize, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []

    async def call(self, method: str, path: str, body: Any, fields: Any = None) -> Any:
        self.asked.append((path, body))
        return {"prompt": "templated"} if path == "/apply-template" else {"tokens": [4, 5]}


class ReadingBodies(unittest.TestCase):
    def test_the_slot_is_named_and_every_other_byte_stays(self) -> None:
        raw = b'  {"prompt" : "\\u00e9 \xc3\xa9", "seed": 1e0, "n":1}\n'
        self.assertEqual(known("/completion", raw).body_for(3), b'  {"id_slot":3,' + raw[3:])

    def test_a_slot_that_the_client_names_is_respected(self) -> None:
        found = known("/completion", {"prompt": "a", "id_slot": 5})
        self.assertEqual((found.wished_slot, found.body_for(1)), (5, found.raw))
        self.assertIsNone(known("/completion", {"prompt": "a", "id_slot": -1}).wished_slot)

    def test_what_is_no_json_object_is_left_to_the_server(self) -> None:
        deep = b'{"a":' * 100_000
        long = b'{"a":' + b"9" * 9999 + b"}"
        for raw in (b"", b"{", b"[1]", b'"x"', b'{"a":NaN}', b"\xff{}", b"\xef\xbb\xbf{}", deep, long):
            with self.subTest(raw[:20]):
                self.assertIsNone(read("/completion", raw))
        self.assertIsNone(read("/completion", {"prompt": "a", "id_slot": "0"}))

    def test_prompts_of_tokens_and_texts_are_one_prompt_and_lists_of_texts_are_several(self) -> None:
        self.assertEqual(known("/completion", {"prompt": [1, "a", 2]}).prompt, [1, "a", 2])
        self.assertTrue(known("/completion", {"prompt": [1, 2]}).single)
        for prompt in (["a", "b"], [[1], [2]], ["a"]):
            self.assertFalse(known("/completion", {"prompt": prompt}).single)
        for prompt in ([1, True], [-1], {"prompt_string": "a"}, 7, [], None):
            self.assertIsNone(known("/completion", {"prompt": prompt}).prompt)

    def test_several_answers_to_one_prompt_take_several_slots(self) -> None:
        self.assertFalse(known("/v1/completions", {"prompt": "a", "n": 2}).single)
        self.assertTrue(known("/v1/completions", {"prompt": "a", "n": None}).single)

    def test_images_are_not_given_to_the_template(self) -> None:
        image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/"}}]}
        self.assertIsNone(known("/v1/chat/completions", {"messages": [image]}).template)
        text = {"role": "user", "content": [{"type": "text", "text": "a"}]}
        self.assertIsNotNone(known("/v1/chat/completions", {"messages": [text]}).template)
        for messages in (None, [], "a", [1], [{"content": 1}]):
            self.assertIsNone(known("/v1/chat/completions", {"messages": messages}).template)

    def test_messages_and_responses_become_the_chats_that_the_server_makes_of_them(self) -> None:
        found = known("/v1/messages", {"system": "s", "messages": [{"role": "user", "content": "a"}]})
        expected = {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}]}
        self.assertEqual((found.template, found.pinnable), (expected, False))
        found = known("/v1/responses", {"instructions": "s", "input": "a"})
        self.assertEqual((found.template, found.pinnable), (expected, True))
        self.assertIsNone(known("/v1/responses", {"input": "a", "tools": [{"type": "function"}]}).template)
        image = {"role": "user", "content": [{"type": "image"}]}
        self.assertIsNone(known("/v1/messages", {"messages": [image]}).template)

    def test_rows_that_tokens_did_not_compute_are_not_storable(self) -> None:
        for more in ({"lora": [{"id": 0, "scale": 1}]}, {"n_cache_reuse": 256}):
            self.assertFalse(known("/completion", {"prompt": "a", **more}).storable)
        self.assertTrue(known("/completion", {"prompt": "a", "lora": [], "n_cache_reuse": 0}).storable)
        self.assertFalse(known("/completion", {"prompt": "a", "cache_prompt": False}).reuses)

    def test_tokens_are_found_as_the_server_finds_them(self) -> None:
        server = FakeServer()
        body = {"messages": [{"role": "user", "content": "a"}], "tools": []}
        tokens = asyncio.run(known("/v1/chat/completions", body).tokens(server, []))  # type: ignore[arg-type]
        self.assertEqual(tokens, [4, 5])
        question = {"content": "templated", "add_special": True, "parse_special": True}
        self.assertEqual(server.asked, [("/apply-template", body), ("/tokenize", question)])
        ready = asyncio.run(known("/completion", {"prompt": [7, 8]}).tokens(server, []))  # type: ignore[arg-type]
        self.assertEqual((ready, len(server.asked)), ([7, 8], 2))

    def test_what_may_take_a_slot_without_generating_is_known(self) -> None:
        self.assertTrue(takes_slot("/v1/embeddings"))
        self.assertTrue(takes_slot("/something-new"))
        self.assertFalse(takes_slot("/tokenize"))


if __name__ == "__main__":
    unittest.main()
