"""The proxy passes llama-server's API through, and does not break over what clients do."""

from __future__ import annotations

import http.client
import json
import socket
import tempfile
import unittest
from pathlib import Path
from typing import Any

from proxy import Answer, Bare, Proxy, conversation, in_threads, next_turn, until

VARYING = ("timings", "id", "created", "id_slot", "system_fingerprint", "generation_settings")


def stripped(answer: Answer) -> Any:
    """An answer without times and names that differ from one run to the next."""
    streamed = answer.fields["content-type"].startswith("text/event-stream")
    found = answer.events if streamed else [answer.json]
    return [{key: value for key, value in one.items() if key not in VARYING} for one in found]


class Passing(unittest.TestCase):
    """All of these share one program with two slots, and a bare server of the same settings."""

    folder: tempfile.TemporaryDirectory[str]
    proxy: Proxy
    bare: Bare

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.proxy = Proxy(Path(cls.folder.name) / "store", "--parallel", "2")
        cls.addClassCleanup(cls.proxy.end)
        cls.bare = Bare("--parallel", "2")
        cls.addClassCleanup(cls.bare.end)

    def tearDown(self) -> None:
        self.assertEqual(self.proxy.request("GET", "/health").json, {"status": "ok"})

    # ---- Equal answers

    def test_answers_are_those_of_the_bare_server_streamed_and_not(self) -> None:
        messages = conversation("grey", 2)
        prompt = "The capital of France is"
        for stream in (False, True):
            for path, body in (
                ("/completion", {"prompt": prompt, "n_predict": 8}),
                ("/v1/completions", {"prompt": prompt, "max_tokens": 8}),
                ("/v1/chat/completions", {"messages": messages, "max_tokens": 8}),
                ("/v1/responses", {"input": "Say hello.", "max_output_tokens": 8}),
                ("/v1/messages", {"messages": messages, "max_tokens": 8}),
            ):
                with self.subTest(path, stream=stream):
                    whole = {**body, "temperature": 0, "stream": stream, "cache_prompt": False}
                    ours, theirs = (one.request("POST", path, whole) for one in (self.proxy, self.bare))
                    self.assertEqual(ours.status, 200, ours.body)
                    self.assertEqual(ours.fields["content-type"], theirs.fields["content-type"])
                    if path in ("/v1/responses", "/v1/messages"):
                        self.assertEqual(len(ours.body.split(b"\n")), len(theirs.body.split(b"\n")))
                    else:
                        self.assertEqual(stripped(ours), stripped(theirs))

    def test_other_paths_answer_as_the_bare_server_does(self) -> None:
        tokens = self.proxy.request("POST", "/tokenize", {"content": "a b"}).json
        self.assertEqual(tokens, self.bare.request("POST", "/tokenize", {"content": "a b"}).json)
        for path in ("/props", "/v1/models", "/slots", "/health", "/nowhere", "/lora-adapters"):
            with self.subTest(path):
                ours, theirs = (one.request("GET", path) for one in (self.proxy, self.bare))
                self.assertEqual(ours.status, theirs.status)
                self.assertEqual(ours.fields["content-type"], theirs.fields["content-type"])
                if path in ("/health", "/nowhere", "/lora-adapters"):
                    self.assertEqual(ours.json, theirs.json)
        ours, theirs = (one.request("OPTIONS", "/v1/models") for one in (self.proxy, self.bare))
        self.assertEqual(ours.status, theirs.status)

    def test_bad_bodies_get_the_servers_own_errors(self) -> None:
        for path, body in (
            ("/completion", b"{"), ("/completion", b""), ("/completion", b"[]"), ("/completion", b'{"prompt": NaN}'),
            ("/completion", b"{}"), ("/v1/chat/completions", b'{"messages": 3}'), ("/completion", b"\xff\xfe"),
            ("/completion", b'{"prompt": "a", "grammar": "root ::= ("}'),
        ):  # fmt: skip
            with self.subTest(path, body=body):
                ours, theirs = (one.request("POST", path, body) for one in (self.proxy, self.bare))
                self.assertEqual((ours.status, ours.body), (theirs.status, theirs.body))

    def test_several_prompts_in_one_request_are_answered(self) -> None:
        body = {"prompt": ["One", "Two"], "n_predict": 4, "temperature": 0, "cache_prompt": False}
        ours, theirs = (one.request("POST", "/completion", body) for one in (self.proxy, self.bare))
        self.assertEqual([one["content"] for one in ours.json], [one["content"] for one in theirs.json])

    # ---- Clients at work

    def test_clients_at_the_same_time_get_their_own_answers(self) -> None:
        names = ["amber", "brass", "coral", "dune", "ebony"]
        chats = [conversation(name, 2) for name in names]
        before = self.proxy.report["requests"]["generating"]
        answers = in_threads([lambda chat=chat: self.proxy.chat(chat, stream=True) for chat in chats])
        self.assertEqual([answer.status for answer in answers], [200] * 5)
        self.assertTrue(all(answer.text for answer in answers))
        self.assertEqual(self.proxy.report["requests"]["generating"] - before, 5)
        self.proxy.saved()
        turns = [next_turn(chat, answer) for chat, answer in zip(chats, answers)]
        for answer in in_threads([lambda turn=turn: self.proxy.chat(turn) for turn in turns]):
            self.assertLess(answer.timings["prompt_n"], 24)
            self.assertGreater(answer.timings["cache_n"], 40)

    def test_a_client_that_leaves_in_mid_stream_ends_the_generation(self) -> None:
        body = json.dumps({"prompt": "Once", "n_predict": 1500, "ignore_eos": True, "stream": True}).encode()
        with socket.create_connection(("127.0.0.1", self.proxy.port)) as connection:
            head = f"POST /completion HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            self.assertIn(b"200", connection.recv(65536))
            connection.recv(65536)
        until(lambda: not any(slot["is_processing"] for slot in self.bare_slots()), "the slot idle again")
        until(lambda: not any(slot["busy"] for slot in self.proxy.report["slots"]), "the slot given back")
        self.assertEqual(self.proxy.complete("The capital of France is", 2).status, 200)

    def test_a_client_that_leaves_while_it_waits_takes_no_slot(self) -> None:
        body = json.dumps({"prompt": "Twice", "n_predict": 400, "ignore_eos": True, "stream": True}).encode()
        head = f"POST /completion HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        waiting = [socket.create_connection(("127.0.0.1", self.proxy.port)) for _ in range(4)]
        for connection in waiting:
            connection.sendall(head + body)
        until(lambda: all(slot["busy"] for slot in self.proxy.report["slots"]), "both slots busy")
        for connection in waiting:
            connection.close()
        until(lambda: not any(slot["busy"] for slot in self.proxy.report["slots"]), "both slots idle")

    def bare_slots(self) -> Any:
        return self.proxy.request("GET", "/slots").json

    def test_a_stream_comes_piece_by_piece(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=60)
        self.addCleanup(connection.close)
        body = {"prompt": "Once", "n_predict": 40, "ignore_eos": True, "stream": True, "temperature": 0}
        connection.request("POST", "/completion", json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        first = response.read1(65536)
        self.assertIn(b"data: ", first)
        self.assertLess(first.count(b"data: "), 40)
        self.assertIn(b'"stop":true', response.read())

    def test_one_connection_serves_many_requests(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=60)
        self.addCleanup(connection.close)
        connection.connect()
        used = connection.sock
        for _ in range(3):
            connection.request("GET", "/health")
            self.assertEqual(json.loads(connection.getresponse().read()), {"status": "ok"})
            body = json.dumps({"prompt": "a", "n_predict": 2, "stream": True})
            connection.request("POST", "/completion", body, {"Content-Type": "application/json"})
            self.assertIn(b"data: ", connection.getresponse().read())
        self.assertIs(connection.sock, used)

    # ---- Clients that do wrong

    def raw(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.proxy.port), timeout=60) as connection:
            connection.sendall(request)
            received = b""
            while piece := connection.recv(65536):
                received += piece
            return received

    def test_what_is_not_http_is_answered_and_ended(self) -> None:
        for request, status in (
            (b"hello\r\n\r\n", b"400"),
            (b"GET http HTTP/1.1\r\n\r\n", b"400"),
            (b"GET / HTTP/2.0\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\nA B: c\r\n\r\n", b"400"),
            (b"GET / HTTP/1.1\r\nA: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
            (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
            (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
            (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
            (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
            (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
            (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", b"400"),
        ):
            with self.subTest(request[:60]):
                self.assertEqual(self.raw(request).split(b" ")[1], status)

    def test_a_chunked_body_and_an_old_client_are_understood(self) -> None:
        piece = b'{"content": "a b"}'
        chunks = b"%x;extension\r\n%b\r\n0\r\nTrailer: x\r\n\r\n" % (len(piece), piece)
        head = b"POST /tokenize HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        self.assertIn(b'"tokens"', self.raw(head + chunks))
        streamed = b'{"prompt": "a", "n_predict": 2, "stream": true}'
        old = self.raw(b"POST /completion HTTP/1.0\r\nContent-Length: %d\r\n\r\n%b" % (len(streamed), streamed))
        self.assertNotIn(b"chunked", old.lower().split(b"\r\n\r\n")[0])
        self.assertIn(b'"stop":true', old)

    def test_the_slot_files_are_out_of_clients_reach(self) -> None:
        for path in ("/slots/0?action=save", "/%73lots/0?action=restore"):
            refused = self.proxy.request("POST", path, {"filename": "x.bin"})
            self.assertEqual(refused.status, 501)
            self.assertIn("kvpager-llama-server", refused.json["error"]["message"])

    def test_it_listens_on_loopback_only(self) -> None:
        with open(f"/proc/{self.proxy.process.pid}/net/tcp") as table:
            rows = [line.split() for line in table][1:]
        listening = [row[1].split(":") for row in rows if row[3] == "0A"]
        places = {address for address, port in listening if int(port, 16) == self.proxy.port}
        self.assertEqual(places, {"0100007F"})


class Keys(unittest.TestCase):
    def test_a_key_is_asked_for_and_who_has_none_computes_nothing(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            proxy = Proxy(Path(folder) / "store", "--api-key", "sesame")
            try:
                key = {"Authorization": "Bearer sesame"}
                chat = conversation("teal", 2)
                body = {"messages": chat, "max_tokens": 4, "temperature": 0}
                self.assertEqual(proxy.request("POST", "/v1/chat/completions", body).status, 401)
                self.assertEqual(proxy.request("GET", "/kvpager").status, 401)
                self.assertEqual(proxy.request("GET", "/health").status, 200)
                self.assertEqual(proxy.request("POST", "/v1/chat/completions", body, key).status, 200)
                report = proxy.request("GET", "/kvpager", fields=key).json
                self.assertEqual(report["prompts"]["misses"], 1)
                arguments = Path(f"/proc/{proxy.children()[0]}/cmdline").read_bytes()
                self.assertNotIn(b"sesame", arguments)
            finally:
                proxy.end()


if __name__ == "__main__":
    unittest.main()
