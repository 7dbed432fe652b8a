"""A conversation: who said what, and the tokens that it is made of.

Invariants:
- `tokens` begins with the tokens that the context holds. What is known beyond them (a question not yet read, a token
  just chosen) is computed next.
- While an answer is being written, `answer_from` is where it begins in `tokens`, and it is not among the messages yet.
"""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import ChatError

if TYPE_CHECKING:
    from .model import Model

METADATA_KEY = "chat"
_VERSION = 1


@dataclass
class Conversation:
    model: str
    """The digest of the model's file."""
    model_path: str = ""
    messages: list[tuple[str, str]] = field(default_factory=list)
    """(role, text): "system", "user", "assistant"."""
    tokens: list[int] = field(default_factory=list)
    answer_from: int | None = None
    speed: tuple[int, float] = (0, 0.0)
    """Tokens and seconds of the largest piece of prompt that was computed so far."""

    # The tokens of what comes next

    def question_tokens(self, model: Model, text: str) -> list[int]:
        """What a question adds to the tokens: the end of the answer before it, itself, and the head of its answer.

        Names of control tokens are such in the template's own words, never in what was said: a message cannot end
        itself and begin another's.
        """
        roles = [role for role, _ in self.messages]
        after = _rendered(model, [*roles, "user"], answer=True)
        if not self.tokens:
            texts = [content for _, content in self.messages] + [text]
        else:
            before = _rendered(model, roles, answer=False)
            if not after.startswith(before):
                raise ChatError(f"the template of {model.name} writes earlier messages anew with each turn: such "
                                "models cannot be chatted with here")  # fmt: skip
            after = after[before.rindex(_mark(len(roles) - 1)) + len(_mark(len(roles) - 1)) :]
            texts = [text]
        tokens: list[int] = []
        for index, content in enumerate(texts, start=len(roles) + 1 - len(texts)):
            head, mark, after = after.partition(_mark(index))
            tokens += model.tokenize(head, special=True, first=not self.tokens and not tokens)
            tokens += model.tokenize(content, special=False) if mark else []
        return tokens + model.tokenize(after, special=True)

    def ask(self, text: str, tokens: list[int]) -> None:
        """Takes a question in; its answer begins."""
        self.messages.append(("user", text))
        self.tokens += tokens
        self.answer_from = len(self.tokens)

    def finish(self, model: Model) -> None:
        """The answer is what was written of it."""
        self.messages.append(("assistant", self.answer(model)))
        self.answer_from = None

    def answer(self, model: Model) -> str:
        """The answer that is being written, as far as it got."""
        pieces = TextDecoder()
        written = self.tokens[self.answer_from :] if self.answer_from is not None else []
        return "".join(pieces.text(model.piece(token)) for token in written) + pieces.rest()

    # In a session's metadata

    def to_text(self, held: int) -> str:
        """Everything but the tokens that the context holds, which the session itself has."""
        return json.dumps(
            {
                "version": _VERSION, "model": self.model, "modelPath": self.model_path, "messages": self.messages,
                "ahead": self.tokens[held:], "answerFrom": self.answer_from, "speed": self.speed,
            },
            ensure_ascii=False, separators=(",", ":"))  # fmt: skip

    @classmethod
    def from_text(cls, text: str, held: list[int]) -> Conversation:
        """Raises ChatError where this is no conversation of a version that is known."""
        try:
            record: dict[str, Any] = json.loads(text)
            if record["version"] > _VERSION:
                raise ChatError("a newer kvpager-chat wrote this conversation: use that")
            count, seconds = record["speed"]
            return cls(
                model=str(record["model"]), model_path=str(record["modelPath"]),
                messages=[(str(role), str(content)) for role, content in record["messages"]],
                tokens=[*held, *(int(token) for token in record["ahead"])],
                answer_from=None if record["answerFrom"] is None else int(record["answerFrom"]),
                speed=(int(count), float(seconds)))  # fmt: skip
        except (ValueError, KeyError, TypeError) as error:
            raise ChatError(f"the session's record of the conversation is not readable ({error!r}): take another with "
                            "--session, or begin one with --new") from error  # fmt: skip


class TextDecoder:
    """Characters out of pieces that may end in the middle of one."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def text(self, piece: bytes) -> str:
        return self._decoder.decode(piece)

    def rest(self) -> str:
        return self._decoder.decode(b"", True)


def _mark(index: int) -> str:
    """What stands for the text of a message while the template is written around it."""
    return f"\x02{index}\x03"


def _rendered(model: Model, roles: list[str], *, answer: bool) -> str:
    return model.render([(role, _mark(index)) for index, role in enumerate(roles)], answer=answer)
