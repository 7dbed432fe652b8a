"""The command line."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional
from urllib.parse import urlsplit

_OURS = {
    "--host", "--port", "--slot-save-path", "--ssl-key-file", "--ssl-cert-file", "--api-key", "--api-key-file",
    "--reuse-port", "-m", "--model", "-c", "--ctx-size", "-np", "--parallel",
}  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What the command line says. `attach` is host, port and path prefix of a running server."""

    host: str
    port: int
    store: str
    quota: Optional[str]
    memory: str
    model: Optional[str]
    parallel: int
    ctx_size: Optional[int]
    api_key: Optional[str]
    log_level: str
    server: Optional[str]
    attach: Optional[tuple[str, int, str]]
    slot_save_path: Optional[str]
    save_delay: float
    salt: str
    body_limit: int
    arguments: tuple[str, ...]


def parse(arguments: Sequence[str]) -> Options:
    """Reads the command line; exits with 2 where it is wrong. What follows `--` is llama-server's."""
    given = list(arguments)
    passed: list[str] = []
    if "--" in given:
        place = given.index("--")
        given, passed = given[:place], given[place + 1 :]
    parser = _parser()
    found = parser.parse_args(given)
    attach = _address(parser, found.attach) if found.attach is not None else None
    if attach is not None:
        if found.slot_save_path is None:
            parser.error("--attach needs --slot-save-path DIR, the folder that the server was started with")
        if passed or found.server is not None:
            parser.error("--attach starts no server: arguments for one have no effect")
    elif found.slot_save_path is not None:
        parser.error("--slot-save-path is for --attach: a server that is started here gets a folder of its own")
    elif found.model is None and not any(one.startswith(("-hf", "--hf", "-mu", "--model-url")) for one in passed):
        parser.error("--model FILE is missing")
    for argument in passed:
        name = argument.partition("=")[0]
        if name in _OURS:
            parser.error(f"{name} stands before --, among kvpager-llama-server's own options, or is not to be set")
        if name in ("--cache-reuse", "--context-shift"):
            parser.error(f"{name} makes rows that their tokens did not compute, which must not be stored")
    return Options(
        found.host, found.port, found.store, found.quota, found.memory, found.model, found.parallel, found.ctx_size,
        found.api_key, found.log_level, found.server, attach, found.slot_save_path, found.save_delay, found.salt,
        found.max_body << 20, tuple(passed),
    )  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kvpager-llama-server",
        description="A llama-server whose conversations survive a restart: their caches are kept in a kvpager store.",
        epilog="What follows -- goes to llama-server as it is: kvpager-llama-server --model m.gguf -- --threads 4",
    )
    add = parser.add_argument
    add("--model", "-m", metavar="FILE", help="the model, a GGUF file")
    add("--store", metavar="DIR", default=os.environ.get("KVPAGER_STORE", "kvpager-store"), help="the store's folder "
        "(default: $KVPAGER_STORE, else ./kvpager-store)")  # fmt: skip
    add("--quota", metavar="SIZE", type=_size, default="16GiB", help="most bytes on disk, such as 4GiB, or none; the "
        "conversations that were not used for the longest time leave first (default: 16GiB)")  # fmt: skip
    add("--memory", metavar="SIZE", type=_size, default="256MiB", help="RAM for decoded blocks (default: 256MiB)")
    add("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)")
    add("--port", type=int, default=8080, help="port to listen on, 0 for any that is free (default: 8080)")
    add("--parallel", "-np", type=_positive, default=1, metavar="N", help="slots, which share the context (default: 1)")
    add("--ctx-size", "-c", type=int, metavar="N", help="tokens of context (default: llama-server's)")
    add("--api-key", default=os.environ.get("LLAMA_API_KEY"), help="what clients must show (default: $LLAMA_API_KEY)")
    add("--server", metavar="FILE", help="the llama-server to start, or xllamacpp for the one in that wheel (default: "
        "the one in PATH, else one in an installed wheel)")  # fmt: skip
    add("--attach", metavar="URL", help="do not start a llama-server, use a running one: http://127.0.0.1:8081")
    add("--slot-save-path", metavar="DIR", help="with --attach: the folder that the server was started with")
    add("--salt", default="", help="keeps caches apart that nothing else tells apart, such as a running server's "
        "settings")  # fmt: skip
    add("--save-delay", type=_seconds, default=0.3, metavar="SECONDS", help="how long a slot is idle before its state "
        "is stored (default: 0.3)")  # fmt: skip
    add("--max-body", type=_positive, default=64, metavar="MIB", help="largest request (default: 64 MiB)")
    add("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    return parser


def _size(text: str) -> Optional[str]:
    if text.lower() == "none":
        return None
    if not re.match(r"[0-9]+(\.[0-9]+)?\s*([KMGT]i?B?|B)?\Z", text, re.IGNORECASE):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write 64MiB or 4GiB")
    return text


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1 << 20:
        raise argparse.ArgumentTypeError("a positive number")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 3600:
        raise argparse.ArgumentTypeError("seconds, 0 to 3600")
    return number


def _address(parser: argparse.ArgumentParser, url: str) -> tuple[str, int, str]:
    parts = urlsplit(url if "//" in url else f"//{url}", scheme="http")
    try:
        port = parts.port or 80
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or not port:
        parser.error(f"--attach {url}: write http://HOST:PORT")
    return parts.hostname, port, parts.path.rstrip("/")
