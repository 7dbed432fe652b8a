"""The proxy: takes requests, passes them to llama-server, and the answers back, as they come."""

# Invariants:
# - A client that is gone ends its request's task, which closes the way to llama-server, which ends the work.
# - Nothing of an answer is kept back: what has been read is sent before more is read.

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Optional
from urllib.parse import unquote, urlsplit

from . import http
from .counters import Counters
from .keeper import Keeper, Turn
from .prompts import GENERATING, Generation, read_generation, takes_slot
from .upstream import Refused, Unreachable, Upstream

log = logging.getLogger("kvpager.server")

#: Seconds that a client may take for its next request, and for its body.
IDLE_SECONDS, BODY_SECONDS = 75.0, 300.0
#: Connections at a time.
CONNECTION_LIMIT = 256
#: Bytes at the end of an answer in which its timings are looked for.
TAIL_BYTES = 64 << 10

_SLOT_PATH = re.compile(r"/slots/(-?[0-9]{1,9})[^/]*\Z")


class ClientProtocol(asyncio.StreamReaderProtocol):
    """A client's connection, which tells when the client is gone."""

    def __init__(self, reader: asyncio.StreamReader, connected: Callable[..., Any]) -> None:
        self.gone = asyncio.Event()
        super().__init__(reader, lambda reader, writer: connected(reader, writer, self.gone))

    def eof_received(self) -> Optional[bool]:
        self.gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        self.gone.set()
        super().connection_lost(exc)


class Frontend:
    """Serves clients.

    owns_slots: the slot files' folder is this program's own, so that clients may not use the slot API. report: gives
    what /kvpager answers. available: says with which status and why llama-server cannot be asked now, None where it
    can. adapters_changed: is called when a client has set them.
    """

    def __init__(
        self, upstream: Upstream, keeper: Keeper, counters: Counters, body_limit: int, owns_slots: bool,
        report: Callable[[], Awaitable[Any]], available: Callable[[], Optional[tuple[int, str]]],
        adapters_changed: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self.upstream = upstream
        self.keeper = keeper
        self.counters = counters
        self._body_limit = body_limit
        self._owns_slots = owns_slots
        self._report = report
        self._available = available
        self._adapters_changed = adapters_changed
        self._server: Optional[asyncio.Server] = None
        self._clients: set[asyncio.Task[None]] = set()
        self._at_work: set[asyncio.Task[bool]] = set()

    async def listen(self, host: str, port: int) -> int:
        """Begins to listen. Returns the port. Raises `OSError`."""
        loop = asyncio.get_running_loop()

        def protocol() -> ClientProtocol:
            return ClientProtocol(asyncio.StreamReader(limit=http.HEAD_LIMIT, loop=loop), self._connected)

        self._server = await loop.create_server(protocol, host, port, backlog=128)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def close(self, limit: float) -> None:
        """Takes no more requests, gives those under way `limit` seconds, and ends the rest."""
        if self._server is not None:
            self._server.close()
        if self._at_work:
            await asyncio.wait(self._at_work, timeout=limit)
        for client in list(self._clients):
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    # ---- A connection

    async def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Event
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            if len(self._clients) > CONNECTION_LIMIT:
                await _answer_error(writer, 503, "too many connections", close=True)
                return
            while await self._request(reader, writer, gone):
                pass
        except http.ProtocolError as error:
            with suppress(OSError):
                await _answer_error(writer, error.status, str(error), close=True)
        except (OSError, asyncio.TimeoutError, EOFError, asyncio.CancelledError):
            pass
        except Exception:
            log.exception("a connection ended with an error of this program")
        finally:
            self._clients.discard(task)
            writer.close()

    async def _request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Event
    ) -> bool:
        """Serves one request. Returns whether another may follow."""
        head = await asyncio.wait_for(http.read_request_head(reader), IDLE_SECONDS)
        if head is None:
            return False
        if "100-continue" in http.field_tokens(head.fields, "expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await asyncio.wait_for(http.read_body(reader, head.fields, self._body_limit), BODY_SECONDS)
        work = asyncio.ensure_future(self._serve(head, body, writer))
        leaving = asyncio.ensure_future(gone.wait())
        self._at_work.add(work)
        try:
            await asyncio.wait((work, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                log.debug("a client left during %s %s", head.method, head.target)
                return False
            return work.result() and head.keeps_alive
        finally:
            leaving.cancel()
            if not work.done():
                work.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await work
            self._at_work.discard(work)

    # ---- A request

    async def _serve(self, head: http.RequestHead, body: bytes, writer: asyncio.StreamWriter) -> bool:
        path = unquote(urlsplit(head.target).path)
        if path == "/kvpager":
            return await self._serve_report(head, writer)
        if (reason := self._available()) is not None:
            return await _answer_error(writer, *reason, kind="unavailable_error")
        local = path.removeprefix(self.upstream.prefix)
        try:
            if head.method == "POST" and (slot := _SLOT_PATH.match(local)):
                return await self._serve_slot(head, body, writer, int(slot[1]))
            if head.method == "POST" and local in GENERATING:
                return await self._serve_generation(head, body, writer, local)
            if head.method == "POST" and takes_slot(local):
                await self._flush()
                try:
                    return await self._pass(head, body, writer)
                finally:
                    await self.keeper.observe()
            answered = await self._pass(head, body, writer)
            if head.method == "POST" and local == "/lora-adapters":
                self.keeper.forget_slots()
                await self._adapters_changed()
            return answered
        except Unreachable as error:
            log.warning("%s", error)
            return await _answer_error(writer, 502, str(error), kind="unavailable_error")

    async def _serve_report(self, head: http.RequestHead, writer: asyncio.StreamWriter) -> bool:
        key = self.upstream.api_key
        if key and http.field(head.fields, "authorization") != f"Bearer {key}":
            return await _answer_error(writer, 401, "Invalid API Key", kind="authentication_error")
        if head.method not in ("GET", "HEAD"):
            return await _answer_error(writer, 405, "/kvpager answers GET only")
        report = json.dumps(await self._report(), indent=2).encode() + b"\n"
        return await _answer(writer, 200, report, head.method == "HEAD")

    async def _serve_slot(
        self, head: http.RequestHead, body: bytes, writer: asyncio.StreamWriter, slot: int
    ) -> bool:
        if self._owns_slots and "action=erase" not in urlsplit(head.target).query:
            message = "the slots are saved and restored by kvpager-llama-server itself"
            return await _answer_error(writer, 501, message, kind="not_supported_error")
        try:
            return await self._pass(head, body, writer)
        finally:
            self.keeper.forget_slot(slot)

    async def _serve_generation(
        self, head: http.RequestHead, body: bytes, writer: asyncio.StreamWriter, path: str
    ) -> bool:
        self.counters.requests += 1
        generation = read_generation(path, body)
        if generation is None or not generation.single or not self.keeper.enabled:
            await self._flush()
            try:
                return await self._pass(head, body, writer)
            finally:
                await self.keeper.observe()
        tokens = await self._tokens(generation, head)
        async with self.keeper.turn(
            tokens, generation.wished_slot, generation.pinnable, generation.storable, generation.reuses
        ) as turn:
            return await self._pass(head, generation.body_for(turn.slot.index), writer, turn)

    async def _tokens(self, generation: Generation, head: http.RequestHead) -> Optional[list[int]]:
        try:
            return await generation.tokens(self.upstream, head.fields)
        except Refused as error:
            log.debug("a prompt's tokens are not known: %s", error)
            return None

    async def _flush(self) -> None:
        """Before work that may take any slot: saves those that are unsaved."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.keeper.save_slots(), 5.0)

    # ---- Passing on

    async def _pass(
        self, head: http.RequestHead, body: bytes, writer: asyncio.StreamWriter, turn: Optional[Turn] = None
    ) -> bool:
        """Passes a request on and its answer back. Returns whether the connection can be used again."""
        self.counters.passed += 1
        async with self.upstream.exchange(head.method, head.target, head.fields, body) as exchange:
            if turn is not None and exchange.head.status != 200:
                turn.computed = False
            answer = exchange.head
            fields = http.end_to_end(answer.fields)
            told = http.field(fields, "content-length") is not None
            empty = head.method == "HEAD" or answer.status in (204, 304)
            chunked = not told and not empty and head.version >= (1, 1)
            if chunked:
                fields.append(("Transfer-Encoding", "chunked"))
            ends = not head.keeps_alive or not (told or empty or chunked)
            fields.append(("Connection", "close" if ends else "keep-alive"))
            writer.write(http.head_bytes(f"HTTP/1.1 {answer.status} {answer.reason}", fields))
            tail = b""
            while True:
                try:
                    piece = await anext(exchange.body, b"")
                except (OSError, http.ProtocolError) as error:
                    log.warning("llama-server broke off its answer to %s %s: %s", head.method, head.target, error)
                    writer.transport.abort()  # half an answer must not look like a whole one
                    return False
                if not piece:
                    break
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                await writer.drain()
                if turn is not None:
                    tail = (tail + piece)[-TAIL_BYTES:]
            if chunked:
                writer.write(b"0\r\n\r\n")
            await writer.drain()
        if turn is not None:
            self.counters.add_timings(tail)
        return not ends


async def _answer(writer: asyncio.StreamWriter, status: int, body: bytes, head_only: bool = False) -> bool:
    fields = [("Content-Type", "application/json; charset=utf-8"), ("Content-Length", str(len(body)))]
    writer.write(http.head_bytes(f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}", fields))
    if not head_only:
        writer.write(body)
    await writer.drain()
    return True


async def _answer_error(
    writer: asyncio.StreamWriter, status: int, message: str, kind: str = "invalid_request_error", close: bool = False
) -> bool:
    """An error in the form in which llama-server has its own."""
    error = {"error": {"code": status, "message": message, "type": kind}}
    await _answer(writer, status, json.dumps(error).encode())
    return not close


_REASONS = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 405: "Method Not Allowed", 413: "Content Too Large",
    431: "Request Header Fields Too Large", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
}  # fmt: skip
