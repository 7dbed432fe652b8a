"""Killed and started again, every conversation goes on from what was stored."""

from __future__ import annotations

import os
import signal
import unittest
from pathlib import Path

from proxy import Proxy, ServerCase, conversation, gemma3, next_turn, until


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


class Restarting(ServerCase):
    def kill(self, proxy: Proxy) -> None:
        """kill -9 of the program; llama-server goes with it."""
        children = proxy.children()
        self.assertEqual(len(children), 1)
        proxy.kill()
        until(lambda: not any(alive(pid) for pid in children), "llama-server ended with the program")

    def test_two_conversations_over_one_slot_stay_hits_also_after_kill_9(self) -> None:
        proxy = self.proxy()
        red, blue = conversation("red"), conversation("blue")
        for _ in range(2):
            first, second = proxy.chat(red), proxy.chat(blue)
            red, blue = next_turn(red, first), next_turn(blue, second)
        for answer in (first, second):
            self.assertGreater(answer.timings["cache_n"], 140)
            self.assertLess(answer.timings["prompt_n"], 24)
        report = proxy.saved()
        self.assertEqual((report["prompts"]["hits"], report["failures"]), (2, {}))
        self.kill(proxy)

        again = self.proxy()
        for chat in (red, blue):
            answer = again.chat(chat)
            details = answer.json["usage"]["prompt_tokens_details"]
            self.assertEqual(details["cached_tokens"], answer.timings["cache_n"])
            self.assertGreater(answer.timings["cache_n"], 160)
            self.assertLess(answer.timings["prompt_n"], 24)
        report = again.saved()
        self.assertEqual((report["prompts"]["hits"], report["prompts"]["misses"]), (2, 0))
        self.assertLess(report["tokens"]["computed"], 48)
        self.assertEqual(report["failures"], {})

    def test_the_answer_after_a_restart_is_that_of_a_server_that_never_ended(self) -> None:
        proxy, bare = self.proxy(), self.bare()
        chat = conversation("green")
        first, expected = proxy.chat(chat, 12), bare.chat(chat, 12)
        self.assertEqual(first.text, expected.text)
        proxy.saved()
        self.kill(proxy)
        again = self.proxy()
        turn = next_turn(chat, first)
        second = again.chat(turn, 12, stream=True)
        self.assertEqual(second.text, bare.chat(turn, 12, stream=True).text)
        self.assertGreater(second.timings["cache_n"], 140)

    def test_what_two_conversations_begin_with_is_computed_once(self) -> None:
        proxy = self.proxy("--parallel", "2")
        rules = {"role": "system", "content": conversation("house", 8)[0]["content"]}
        first = proxy.chat([rules, {"role": "user", "content": "Who?"}], 4)
        proxy.saved()
        second = proxy.chat([rules, {"role": "user", "content": "When was it, and why?"}], 4)
        self.assertGreater(second.timings["cache_n"], 150)
        self.assertLess(second.timings["prompt_n"], 24)
        self.assertLess(first.timings["cache_n"], 20)

    def test_told_to_stop_it_saves_what_is_unsaved_and_exits_with_0(self) -> None:
        proxy = self.proxy("--save-delay", "3000")
        chat = conversation("gold")
        first = proxy.chat(chat)
        self.assertTrue(proxy.report["slots"][0]["unsaved"])
        children = proxy.children()
        self.assertEqual(proxy.process.send_signal(signal.SIGINT) or proxy.process.wait(60), 0)
        self.assertFalse(any(alive(pid) for pid in children))
        self.assertLess(self.proxy().chat(next_turn(chat, first)).timings["prompt_n"], 24)

    def test_its_slot_files_are_gone_with_it_even_after_kill_9(self) -> None:
        proxy = self.proxy()
        proxy.chat(conversation("pink", 2))
        proxy.saved()
        arguments = Path(f"/proc/{proxy.children()[0]}/cmdline").read_bytes().split(b"\0")
        folder = Path(os.fsdecode(arguments[arguments.index(b"--slot-save-path") + 1]))
        self.assertEqual([one.name for one in folder.iterdir()], ["lock"])
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
        self.kill(proxy)
        self.assertTrue(folder.exists())
        self.proxy()
        self.assertFalse(folder.exists())

    def test_llama_server_killed_is_answered_with_502_and_comes_back(self) -> None:
        proxy = self.proxy()
        chat = conversation("silver")
        first = proxy.chat(chat)
        proxy.saved()
        os.kill(proxy.children()[0], signal.SIGKILL)
        refused = until(lambda: (answer := proxy.chat(chat)).status == 502 and answer, "an answer of 502")
        self.assertIn("error", refused.json)
        until(lambda: proxy.request("GET", "/health").status == 200, "llama-server again")
        second = proxy.chat(next_turn(chat, first))
        self.assertLess(second.timings["prompt_n"], 24)
        self.assertEqual(proxy.report["failures"].get("serverEnded"), 1)

    def test_a_running_server_that_is_attached_to_keeps_its_conversations(self) -> None:
        slots = self.folder / "slots"
        slots.mkdir()
        bare = self.bare("--slot-save-path", f"{slots}/")
        attach = ("--attach", f"http://127.0.0.1:{bare.port}", "--slot-save-path", str(slots))
        proxy = self.proxy(*attach)
        red, blue = conversation("red"), conversation("blue")
        first = proxy.chat(red)
        bare.chat(blue)  # another client takes the slot behind the program's back
        answer = proxy.chat(next_turn(red, first))
        self.assertEqual(answer.status, 200)
        proxy.saved()
        self.assertEqual(list(slots.iterdir()), [])
        self.assertEqual(proxy.end(), 0)
        bare.request("POST", "/slots/0?action=erase", {})
        again = self.proxy(*attach)
        third = again.chat(next_turn(next_turn(red, first), answer))
        self.assertLess(third.timings["prompt_n"], 24)


class SlidingWindows(ServerCase):
    def test_a_sliding_window_conversation_goes_on_whole_after_kill_9(self) -> None:
        model = gemma3()
        proxy, bare = self.proxy(model=model), self.bare(model=model)
        red, blue = conversation("red", 36), conversation("blue", 2)
        first, second = proxy.chat(red), proxy.chat(blue)
        self.assertGreater(first.timings["prompt_n"], 600)
        report = proxy.saved()
        self.assertEqual(report["failures"], {})
        self.assertEqual(report["store"]["sessions"], 4)  # two conversations, each with its appendix
        proxy.kill()
        again = self.proxy(model=model)
        answers = {}
        for name, chat, answer in (("red", red, first), ("blue", blue, second)):
            turn = next_turn(chat, answer)
            answers[name] = again.chat(turn)
            self.assertEqual(answers[name].text, bare.chat(turn, cache_prompt=False).text)
            self.assertLess(answers[name].timings["prompt_n"], 60)
        self.assertGreater(answers["red"].timings["cache_n"], 600)
        self.assertEqual(again.saved()["store"]["sessions"], 4)  # they went on, none came

    def test_a_sliding_window_conversation_that_is_edited_is_computed_not_cut(self) -> None:
        model = gemma3()
        proxy, bare = self.proxy(model=model), self.bare(model=model)
        chat = conversation("red", 36)
        proxy.chat(chat)
        proxy.saved()
        proxy.kill()
        again = self.proxy(model=model)
        edited = [{"role": "user", "content": chat[0]["content"][:1500] + " Who was that?"}]
        answer = again.chat(edited, 12)
        self.assertEqual(answer.text, bare.chat(edited, 12).text)
        self.assertEqual(again.report["prompts"]["hits"], 0)


if __name__ == "__main__":
    unittest.main()
