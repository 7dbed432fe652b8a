"""The chat itself: questions in, answers out, and everything saved on the way.

Saved are: a question before it is read, the context after each `PROMPT_TOKENS` of it and when it was read, each
`ANSWER_TOKENS` of the answer, and its end. A kill in between takes that much computing away, which is done again, and
no word of the user's. (The first question of all is saved with the first tokens that were read of it.)
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import kvpager

from . import report
from .conversation import Conversation, TextDecoder
from .errors import ContextFull
from .interrupts import Interrupts, Leave
from .keeper import Keeper, Return
from .model import Context, Sampler
from .screen import Screen

PROMPT_TOKENS = 512
ANSWER_TOKENS = 8

_LEAST_ANSWER = 16
"""Tokens of the context that a question must leave to its answer."""

_STOPPED = "stopped; the answer is kept as far as it got"


@dataclass(frozen=True)
class Manners:
    """How answers are given."""

    max_tokens: int
    temperature: float
    seed: int
    repeat_penalty: float = 1.0
    compare: bool = False


class Chat:
    """One conversation in one context."""

    def __init__(
        self, conversation: Conversation, context: Context, keeper: Keeper, screen: Screen, interrupts: Interrupts,
        manners: Manners,
    ) -> None:  # fmt: skip
        self.conversation, self.context, self.keeper = conversation, context, keeper
        self.screen, self.interrupts, self.manners = screen, interrupts, manners
        self.model = context.model
        self.refused = False
        """A question did not fit the context."""
        self._back: Return | None = None  # how the context was filled; None once an answer has told of it
        self._held_at_save = 0
        self._save_failure = ""
        self._sampler = Sampler(context, manners.temperature, manners.seed, manners.repeat_penalty)

    # Beginning

    def begin(self, saved_tokens: int) -> None:
        """Shows what was said so far, brings it into the context, and goes on with an answer that was cut short.
        `saved_tokens` of the conversation's are in its session."""
        conversation = self.conversation
        for role, text in conversation.messages:
            if role == "system":
                self.screen.system(text)
            elif role == "user":
                self.screen.question(text)
            else:
                self.screen.write(text)
                self.screen.end_line()
        if not conversation.tokens:
            return
        self._back = self.keeper.bring_back(conversation)
        self._held_at_save = min(saved_tokens, self.context.held)
        self.screen.remark(report.brought_back(self._back, saved_tokens))
        if conversation.answer_from is not None:
            written = len(conversation.tokens) - conversation.answer_from
            self.screen.remark(
                f"the last answer was cut short after {report.counted(written)}; it goes on:" if written > 0
                else "the last question was not answered yet; here is the answer:")  # fmt: skip
            self._answer()

    # A turn

    def ask(self, text: str) -> None:
        """A question and its answer. Where it does not fit the context, it says so and takes nothing in."""
        text = text.strip()
        if not text:
            return
        conversation = self.conversation
        try:
            tokens = self._fitting(conversation.question_tokens(self.model, text))
        except ContextFull as full:
            self.refused = True
            self.screen.remark(str(full))
            return
        is_new = not conversation.tokens
        conversation.ask(text, tokens)
        if is_new:
            self._back = self.keeper.warm(conversation)
        else:
            self._save_words()
        self._answer()

    def _fitting(self, tokens: list[int]) -> list[int]:
        size = self.context.token_count
        free = max(0, size - len(self.conversation.tokens) - _LEAST_ANSWER)
        if len(tokens) <= free:
            return tokens
        raise ContextFull(
            f"this message takes {report.counted(len(tokens))}, and the context of {size:,} has room for {free:,}: "
            f"shorten it, {self._more_room}")

    @property
    def _more_room(self) -> str:
        text = "begin another conversation (--new)"
        if self.context.token_count < self.model.trained_context:
            text += f", or start again with a larger context (--ctx-size, up to {self.model.trained_context})"
        return text

    def _answer(self) -> None:
        """Reads what was not read yet and writes the answer, until it ends, is stopped, or is long enough.

        Raises Leave where the chat is to end: the answer then stays open, and goes on at the next start.
        """
        self.interrupts.computing()
        started, held_before = perf_counter(), self.context.held
        first_token: float | None = None
        why_ended = _STOPPED
        if self._read():
            read = self.context.held
            token = self._next()
            first_token = perf_counter() - started
            why_ended = self._write(token)
        self.screen.end_line()
        if self.interrupts.leave:
            self._save()
            raise Leave
        self.conversation.finish(self.model)
        self._save()
        if why_ended:
            self.screen.remark(why_ended)
        if first_token is not None:
            self._tell(held_before, read, first_token)

    def _read(self) -> bool:
        """Computes what is known and not in the context yet. False: it was stopped before the end."""
        ahead = self.conversation.tokens[self.context.held :]

        def after_batch() -> bool:
            if self.context.held < len(self.conversation.tokens):
                self._save_each(PROMPT_TOKENS)
            return not self.interrupts.stop

        before = self.context.held
        seconds = self.context.evaluate(ahead, after_batch)
        count = self.context.held - before
        if count > self.conversation.speed[0]:
            self.conversation.speed = (count, seconds)
        return self.context.held == len(self.conversation.tokens)

    def _write(self, token: int) -> str:
        """Writes the answer from its next token on. Returns why it ended, where it did not end by itself."""
        conversation, decoder = self.conversation, TextDecoder()
        assert conversation.answer_from is not None
        for written in conversation.tokens[conversation.answer_from :]:
            self.screen.write(decoder.text(self.model.piece(written)))
        reason, due = "", 1  # the question that was just read is saved at once, behind the answer's first token
        while not self.model.ends(token):
            conversation.tokens.append(token)
            self.screen.write(decoder.text(self.model.piece(token)))
            self._save_each(due)
            due = ANSWER_TOKENS
            reason = self._reason_to_end(len(conversation.tokens) - conversation.answer_from)
            if reason:
                break
            self.context.evaluate([token])
            token = self._next()
        self.screen.write(decoder.rest())
        return reason

    def _next(self) -> int:
        return self._sampler.next(self.conversation.tokens[self.conversation.answer_from :])

    def _reason_to_end(self, written: int) -> str:
        if self.interrupts.stop:
            return _STOPPED
        if self.context.held >= self.context.token_count:
            return f"the context is full: {self._more_room}"
        if written >= self.manners.max_tokens:
            return f"the answer was ended after {report.counted(written)} (--max-tokens)"
        return ""

    # Saving

    def _save_each(self, token_count: int) -> None:
        """Saves where as many tokens as that were computed since. A failure is told at the answer's end."""
        if self.context.held - self._held_at_save < token_count:
            return
        try:
            self.keeper.save(self.conversation)
        except kvpager.Error:
            pass  # told by the save at the answer's end, which fails the same way or makes up for it
        self._held_at_save = self.context.held

    def _save(self) -> None:
        if self.context.held == 0:
            return
        try:
            self.keeper.save(self.conversation)
            self._held_at_save = self.context.held
            if self._save_failure:
                self.screen.remark("saved again, with all that was said meanwhile")
            self._save_failure = ""
        except kvpager.Error as error:
            self._tell_save_failure(error)

    def _save_words(self) -> None:
        try:
            self.keeper.save_words(self.conversation)
        except kvpager.Error as error:
            self._tell_save_failure(error)

    def _tell_save_failure(self, error: kvpager.Error) -> None:
        if error.message != self._save_failure:
            self.screen.remark(
                f"not saved: {error.message}. The chat goes on, what was saved before stays, and the next answer is "
                "saved with this one where that helped")
        self._save_failure = error.message

    # Telling

    def _tell(self, held_before: int, read: int, first_token: float) -> None:
        computed = read - held_before
        if self._back is not None:
            measured = self._recompute(read) if self.manners.compare and held_before else None
            self.screen.remark(
                report.first_answer(self._back, computed, first_token, self.conversation.speed, measured))
            self._back = None
        else:
            self.screen.remark(report.later_answer(read, computed, first_token))
        size, used = self.context.token_count, len(self.conversation.tokens)
        if size - used < size // 8:
            self.screen.remark(
                f"the context is nearly full, {size - used:,} of {size:,} tokens are left: {self._more_room}")

    def _recompute(self, token_count: int) -> float | None:
        """The time to the first token where nothing is reused: measured, in a context of its own."""
        self.interrupts.computing()
        other = Context(self.model, self.context.token_count, self.context.threads)
        sampler = Sampler(other, 0, 0, 1)
        try:
            started = perf_counter()
            other.evaluate(self.conversation.tokens[:token_count], lambda: not self.interrupts.stop)
            sampler.next([])
            return perf_counter() - started if other.held == token_count else None
        finally:
            sampler.close()
            other.close()

    def close(self) -> None:
        self._sampler.close()
