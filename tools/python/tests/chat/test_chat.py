"""Chats with SmolLM2-135M: what is kept, what is computed again, and what is said where something does not go."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import unittest

from process import SYSTEM, ChatCase, Said

FRANCE, ITALY = "What is the capital of France?", "And of Italy?"
STORY = "Tell me a long story about a cat."


class Conversations(ChatCase):
    def test_a_question_computes_its_own_tokens_alone(self) -> None:
        said = self.chat(FRANCE, ITALY)
        self.assertEqual(said.status, 0, said.remarks)
        self.assertEqual([bool(answer) for answer in said.answers()], [True, True])
        self.assertIn("Paris", said.answers()[0])
        first, second = said.computed()
        self.assertEqual(said.number(r"([\d,]+) tokens of prompt: 0 from kvpager"), first)
        self.assertLess(second, first)

    def test_a_second_run_shows_the_conversation_and_goes_on_with_the_same_answer(self) -> None:
        whole = self.chat(FRANCE, ITALY, store=self.folder / "whole")
        first = self.chat(FRANCE)
        second = self.chat(ITALY)
        self.assertEqual(second.status, 0, second.remarks)
        self.assertEqual(second.output, whole.output)
        self.assertEqual(second.answers()[0], first.answers()[0])
        self.assertEqual(second.computed(), whole.computed()[1:], "the second run computed more than its question")
        back = second.number(r"([\d,]+) tokens came back")
        self.assertEqual(second.number(r"([\d,]+) from kvpager"), back)
        self.assertGreaterEqual(back, first.computed()[0])

    def test_after_kill_9_in_mid_answer_the_answer_goes_on_as_if_nothing_had_been(self) -> None:
        options = ("--max-tokens", "64")
        whole = self.chat(FRANCE, STORY, ITALY, options=options, store=self.folder / "whole")
        victim = self.start(*options)
        victim.ask(FRANCE)
        victim.ask(STORY)
        victim.read_until(r"> Tell me a long story.*\n\S+ \S+ ")
        victim.process.kill()
        self.assertEqual(victim.finish().status, -signal.SIGKILL)

        second = self.chat(ITALY, options=options)
        self.assertEqual(second.status, 0, second.remarks)
        self.assertGreater(second.number(r"the last answer was cut short after ([\d,]+) token"), 0)
        self.assertEqual(second.output, whole.output)
        going_on, next_question = second.computed()
        self.assertEqual(going_on, 1, "of the question that had been read, something was read again")
        self.assertEqual(next_question, whole.computed()[2])

    def test_long_answers_are_kept_on_the_way(self) -> None:
        options = ("--max-tokens", "300")
        victim = self.start(*options)
        victim.ask(STORY)
        victim.read_until(r"\n(\S+\s+){50}")
        victim.process.kill()
        victim.finish()
        second = self.chat(options=options)
        self.assertGreater(second.number(r"was cut short after ([\d,]+) token"), 40)
        self.assertEqual(second.computed(), [1])
        self.assertEqual(second.output, self.chat(STORY, options=options, store=self.folder / "whole").output)

    def test_ctrl_c_into_a_pipe_keeps_the_answer_open_for_the_next_run(self) -> None:
        options = ("--max-tokens", "60")
        first = self.start(*options)
        first.ask(STORY)
        first.read_until(r"\n\S+ \S+ ")
        first.process.send_signal(signal.SIGINT)
        first.process.wait()
        said = first.finish()
        self.assertEqual(said.status, 130)
        self.assertIn("all is kept", said.remarks)
        second = self.chat(options=options)
        self.assertEqual(second.status, 0, second.remarks)
        self.assertGreater(second.number(r"was cut short after ([\d,]+) token"), 0)
        self.assertEqual(second.computed(), [1])
        self.assertTrue(second.output.startswith(said.output.rstrip("\n")), "what had been written was not shown again")

    def test_two_conversations_share_the_system_prompt(self) -> None:
        first = self.chat("When does house 3 open?", options=("--new", "--session", "one", "--system", SYSTEM))
        second = self.chat("Which plants are in house 5?", options=("--new", "--session", "two", "--system", SYSTEM))
        self.assertGreater(first.computed()[0], 150)
        self.assertLess(second.computed()[0], 25, "the system prompt was computed again")

    def test_compare_measures_what_computing_anew_takes(self) -> None:
        self.chat(FRANCE, options=("--system", SYSTEM))
        said = self.chat(ITALY, options=("--compare",))
        self.assertRegex(said.remarks, r"without kvpager [\d.]+ m?s \(measured: computed anew in a second context\)")
        self.assertRegex(self.chat(ITALY).remarks, r"without kvpager about [\d.]+ m?s \(estimated from [\d,]+ tokens/s")


class OneCommand(unittest.TestCase):
    def test_tools_chat_installs_what_is_missing_and_chats(self) -> None:
        from process import PACKAGE

        environment = [sys.executable, str(PACKAGE / "environment.py"), str(PACKAGE / "requirements-chat.txt")]
        made = subprocess.run(environment, stdin=subprocess.DEVNULL, capture_output=True)
        if made.returncode == 77:
            self.skipTest(f"the chat's environment cannot be had: {made.stderr.decode()}")
        with tempfile.TemporaryDirectory(prefix="kvpager-chat-") as folder:
            done = subprocess.run(
                [str(PACKAGE.parent / "chat"), "--threads", "1", "--temperature", "0", "--max-tokens", "8"],
                input=f"{FRANCE}\n".encode(), capture_output=True, env={**os.environ, "XDG_DATA_HOME": folder})
            self.assertEqual(done.returncode, 0, done.stderr.decode())
            self.assertIn("Paris", done.stdout.decode())
            self.assertTrue(os.path.exists(f"{folder}/kvpager/chat/data.mdb"))


class OtherSettings(ChatCase):
    """Models with two sets of rotation factors compute other keys in a longer context."""

    def test_a_conversation_moves_to_the_settings_that_it_goes_on_with(self) -> None:
        from unittest import mock

        import kvpager
        from kvpager.chat.keeper import Keeper, opened, read_conversation
        from kvpager.chat.libllama import LibLlama
        from kvpager.chat.model import Context, Model, default_model

        self.chat(FRANCE)
        model = Model(LibLlama(), default_model())
        self.addCleanup(model.close)
        with mock.patch.object(model, "metadata", return_value="128"):
            context = Context(model, 256, 1)
        self.addCleanup(context.close)
        self.assertEqual(context.engine.settings["long_rope"], "on")
        with kvpager.Store(self.store, memory="32MiB") as store, Keeper(store, context, "chat") as keeper:
            conversation = read_conversation(store, "chat")
            assert conversation is not None
            held = store.sessions()[0].token_count
            self.assertEqual(keeper.bring_back(conversation).token_count, 0, "rows of other keys came back")
            context.evaluate(conversation.tokens[:held])
            with mock.patch.object(kvpager.Space, "delete", side_effect=kvpager.InputOutput("killed here")):
                with self.assertRaises(kvpager.InputOutput):
                    keeper.save(conversation)
            self.assertEqual(len(store.sessions()), 2)
            with opened(store, "chat") as session:
                self.assertEqual(session.space.description["settings"]["long_rope"], "on")
            keeper.save(conversation)
            self.assertEqual([info.name for info in store.sessions()], ["chat"])
            keeper.pager.states.clear()
            self.assertEqual(keeper.bring_back(conversation).token_count, held)


class ManyConversations(ChatCase):
    def test_list_names_the_conversations_the_last_one_first(self) -> None:
        self.assertIn("no conversations", self.chat(options=("--list",)).output)
        self.chat(FRANCE, options=("--session", "one"))
        self.chat(STORY, options=("--new", "--session", "two"))
        said = self.chat(options=("--list",))
        lines = said.output.splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["NAME", "two", "one"])
        self.assertIn(FRANCE, lines[2])
        self.assertIn(FRANCE, self.chat(options=("--session", "one")).output)
        self.assertIn(STORY, self.chat().output, "without a name the last conversation is meant")

    def test_a_fork_goes_its_own_way_and_computes_nothing_again(self) -> None:
        whole = self.chat(FRANCE, ITALY, store=self.folder / "whole")
        self.chat(FRANCE, options=("--session", "one"))
        fork = self.chat(ITALY, options=("--session", "one", "--fork", "branch"))
        self.assertEqual(fork.output, whole.output)
        self.assertEqual(fork.computed(), whole.computed()[1:])
        self.assertNotIn(ITALY, self.chat(options=("--session", "one")).output)
        taken = self.chat(options=("--session", "one", "--fork", "branch"))
        self.assertEqual(taken.status, 1)
        self.assertIn("--session branch", taken.remarks)

    def test_new_does_not_overwrite_a_conversation(self) -> None:
        self.chat(FRANCE, options=("--session", "one"))
        said = self.chat(ITALY, options=("--new", "--session", "one"))
        self.assertEqual(said.status, 1)
        self.assertIn("take another name", said.remarks)

    def test_a_conversation_is_open_in_one_chat_at_a_time(self) -> None:
        first = self.start()
        first.ask(FRANCE)
        first.read_until(r"Paris")
        second = self.chat(ITALY)
        self.assertEqual(second.status, 1)
        self.assertIn(f"process {first.process.pid}", second.remarks)
        self.assertIn("--fork", second.remarks)
        other = self.chat(ITALY, options=("--new", "--session", "beside"))
        self.assertEqual(other.status, 0, other.remarks)
        first.process.kill()
        first.finish()
        self.assertEqual(self.chat(ITALY, options=("--session", "chat")).status, 0, "a kill left the lock behind")


class Limits(ChatCase):
    def test_a_question_that_does_not_fit_is_refused_and_the_chat_goes_on(self) -> None:
        said = self.chat(FRANCE, "word " * 300, ITALY, options=("--ctx-size", "256"))
        self.assertEqual(said.status, 1)
        self.assertRegex(said.remarks, r"this message takes 3\d\d tokens, and the context of 256 has room for \d+")
        self.assertIn("--ctx-size", said.remarks)
        self.assertEqual(len(said.computed()), 2, "both other questions are answered")
        self.assertNotIn("word word", self.chat().output, "what was refused is no part of the conversation")

    def test_an_answer_ends_where_the_context_does_and_goes_on_in_a_larger_one(self) -> None:
        full = self.chat(STORY, options=("--ctx-size", "256", "--max-tokens", "1000"))
        self.assertEqual(full.status, 0, full.remarks)
        self.assertIn("the context is full", full.remarks)
        again = self.chat(ITALY, options=("--ctx-size", "256"))
        self.assertEqual((again.status, again.computed()), (1, []), again.remarks)
        larger = self.chat(ITALY)
        self.assertEqual(larger.status, 0, larger.remarks)
        self.assertLess(larger.computed()[0], 20)

    def test_a_nearly_full_context_is_told(self) -> None:
        options = ("--ctx-size", "256")
        self.assertNotIn("nearly full", self.chat(FRANCE, options=options).remarks)
        self.assertIn("nearly full", self.chat("word " * 183, options=options).remarks)

    def test_a_store_that_cannot_be_written_does_not_end_the_chat(self) -> None:
        self.chat(FRANCE)
        used = (self.store / "data.mdb").stat().st_size
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (used + 4096, limits[1]))
        try:
            said = self.chat(f"{SYSTEM} {ITALY}", STORY)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        self.assertEqual(len(said.answers()), 3, said.remarks)
        self.assertTrue(all(said.answers()))
        self.assertIn("not saved: ", said.remarks)
        self.assertIn("Paris", self.chat().output, "what had been saved is gone")

    def test_errors_name_the_remedy(self) -> None:
        self.assert_refused(self.chat(options=("--model", "/nowhere.gguf")), "--model")
        no_model = self.folder / "text.gguf"
        no_model.write_text("no model")
        self.assert_refused(self.chat(options=("--model", str(no_model))), "--model")
        self.assert_refused(self.chat(options=("--session", "x", "--fork", "y")), "--list")
        self.assert_refused(self.chat(options=("--system", "@/nowhere")), "/nowhere")

    def test_a_damaged_store_is_told_and_left_as_it_is(self) -> None:
        self.chat(FRANCE)
        file = self.store / "data.mdb"
        data = bytearray(file.read_bytes())
        data[: 2 * 4096] = os.urandom(2 * 4096)
        file.write_bytes(data)
        for options in ((), ("--list",)):
            self.assert_refused(self.chat(ITALY, options=options), "kvpager")
        self.assertEqual(file.read_bytes(), data)

    def test_a_damaged_block_is_computed_again_and_stored_again(self) -> None:
        self.chat(FRANCE, options=("--system", SYSTEM))
        file = self.store / "data.mdb"
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1  # rows, as nearly all of the file is
        file.write_bytes(data)
        second = self.chat(ITALY)
        self.assertEqual(second.status, 0, second.remarks)
        lost = second.number(r"the store gives [\d,]+ of [\d,]+ tokens, ([\d,]+) are computed again: ")
        self.assertGreater(second.computed()[0], lost)
        third = self.chat(FRANCE)
        self.assertEqual(third.status, 0, third.remarks)
        self.assertGreater(third.number(r"([\d,]+) tokens came back"), 200)
        self.assertLess(third.computed()[0], 25)

    def assert_refused(self, said: Said, remedy: str) -> None:
        self.assertEqual(said.status, 1, said.remarks)
        self.assertIn(remedy, said.remarks)
        self.assertNotIn("Traceback", said.remarks)


if __name__ == "__main__":
    unittest.main()
