"""A store that fails never fails a request: it is computed, and the log says so."""

from __future__ import annotations

import resource
import unittest

from proxy import Proxy, ServerCase, conversation, in_threads, next_turn


class StoreFailures(ServerCase):
    def assert_it_computes(self, proxy: Proxy, failures: set[str]) -> None:
        """Two conversations over one slot are answered; what failed is counted, and told once in the log."""
        red, blue = conversation("red", 3), conversation("blue", 3)
        for _ in range(2):
            for chat in (red, blue):
                answer = proxy.chat(chat)
                self.assertEqual(answer.status, 200)
                self.assertTrue(answer.text)
        found = set(proxy.saved()["failures"])
        self.assertTrue(found & failures, found)
        warnings = [line for line in proxy.output().splitlines() if " WARNING " in line]
        self.assertTrue(warnings)
        self.assertEqual(len(warnings), len(set(line[24:] for line in warnings)), warnings)
        self.assertNotIn("Traceback", proxy.output())
        self.assertEqual(proxy.end(), 0)

    def test_a_quota_that_holds_no_conversation_is_kept_to_and_computed_past(self) -> None:
        proxy = self.proxy("--quota", "300KiB", "--memory", "16MiB")
        for name in ("red", "blue"):
            chat = conversation(name, 3)
            answer = proxy.chat(chat)
            self.assertEqual((answer.status, proxy.chat(next_turn(chat, answer)).status), (200, 200))
        report = proxy.saved()
        self.assertLessEqual(report["store"]["bytes"]["disk"], 300 << 10)

    def test_a_quota_that_holds_one_conversation_lets_the_oldest_leave_without_an_error(self) -> None:
        proxy = self.proxy("--quota", "6MiB")
        last = None
        for name in ("red", "blue", "green", "grey"):
            chat = conversation(name, 3)
            last = next_turn(chat, proxy.chat(chat))
            report = proxy.saved()
        self.assertEqual(report["failures"], {})
        self.assertLessEqual(report["store"]["bytes"]["disk"], 6 << 20)
        proxy.kill()
        assert last is not None
        self.assertLess(self.proxy("--quota", "6MiB").chat(last).timings["prompt_n"], 24)

    def test_a_disk_that_takes_no_more_is_computed_past(self) -> None:
        proxy = self.proxy()
        _, most = resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE, (100 << 10, most))
        self.assert_it_computes(proxy, {"diskFull", "inputOutput", "mapFull"})

    def test_a_path_that_is_no_store_is_computed_past(self) -> None:
        self.store.write_text("not a folder")
        self.assert_it_computes(self.proxy(), {"notAStore", "inputOutput", "permissionDenied", "closed"})

    def test_a_store_that_was_damaged_is_computed_past(self) -> None:
        proxy = self.proxy()
        chat = conversation("red")
        first = proxy.chat(chat)
        proxy.saved()
        proxy.kill()
        file = self.store / "data.mdb"
        data = bytearray(file.read_bytes())
        for place in range(8192, len(data), 4096):
            data[place + 20 : place + 60] = b"\xa5" * len(data[place + 20 : place + 60])
        file.write_bytes(data)
        again = self.proxy()
        answer = again.chat(next_turn(chat, first))
        self.assertEqual((answer.status, answer.timings["cache_n"] < 24), (200, True))
        self.assert_it_computes(again, {"damaged"})

    def test_a_store_that_is_deleted_while_it_is_open_does_no_harm(self) -> None:
        proxy = self.proxy()
        chat = conversation("red", 3)
        first = proxy.chat(chat)
        proxy.saved()
        for file in self.store.iterdir():
            file.unlink()
        answers = in_threads([lambda: proxy.chat(next_turn(chat, first))] * 3)
        self.assertEqual([one.status for one in answers], [200] * 3)

    def test_wrong_usage_is_told_and_ends_with_2_or_1(self) -> None:
        for options, arguments, status, word in (
            (("--quota", "much"), (), 2, "much"),
            (("--attach", "http://127.0.0.1:1"), (), 2, "--slot-save-path"),
            ((), ("--slot-save-path", "/"), 2, "--slot-save-path"),
            ((), ("--context-shift",), 2, "--context-shift"),
            ((), ("--no-such-option",), 1, "--no-such-option"),
        ):
            with self.subTest(options=options, arguments=arguments):
                proxy = Proxy(self.store, *options, arguments=arguments, wait=False)
                self.assertEqual(proxy.process.wait(60), status)
                self.assertIn(word, proxy.output())
                proxy.end()
        proxy = Proxy(self.store, model="/nowhere.gguf", wait=False)
        self.assertEqual(proxy.process.wait(60), 1)
        self.assertIn("/nowhere.gguf", proxy.output())
        proxy.end()


if __name__ == "__main__":
    unittest.main()
