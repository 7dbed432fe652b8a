"""The way to llama-server: one connection a request, so that closing it cancels what it asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Optional

from . import http

#: Bytes of an answer that this program reads for itself.
ANSWER_LIMIT = 64 << 20
CONNECT_SECONDS = 10.0


class Unreachable(Exception):
    """llama-server does not answer, or not in HTTP."""


class Refused(Exception):
    """llama-server answered with an error. `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{message} (status {status})")
        self.status = status


@dataclass
class Exchange:
    """A response that is coming in."""

    head: http.ResponseHead
    body: AsyncIterator[bytes]


class Upstream:
    """A llama-server at an address. `prefix` stands before every path; `api_key` goes with this program's own calls."""

    def __init__(self, host: str, port: int, prefix: str = "", api_key: Optional[str] = None) -> None:
        self.host = host
        self.port = port
        self.prefix = prefix
        self.api_key = api_key

    @property
    def address(self) -> str:
        """Host and port, as a Host field has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @asynccontextmanager
    async def exchange(self, method: str, target: str, fields: http.Fields, body: bytes) -> AsyncIterator[Exchange]:
        """Sends a request; its response can be read inside. Leaving closes the connection, which cancels the rest.

        Raises `Unreachable` until the response's head has come.
        """
        try:
            connecting = asyncio.open_connection(self.host, self.port, limit=http.HEAD_LIMIT)
            reader, writer = await asyncio.wait_for(connecting, CONNECT_SECONDS)
        except (OSError, asyncio.TimeoutError) as error:
            raise Unreachable(f"llama-server cannot be reached at {self.address}: {error}") from error
        try:
            framing = [("Content-Length", str(len(body)))] if body or method not in ("GET", "HEAD") else []
            sent = http.end_to_end(fields, ("content-length",)) + framing + [("Connection", "close")]
            try:
                writer.write(http.head_bytes(f"{method} {target} HTTP/1.1", sent) + body)
                await writer.drain()
                head = await http.read_response_head(reader)
                content = http.response_body(reader, method, head)
            except (OSError, http.ProtocolError) as error:
                raise Unreachable(f"llama-server at {self.address} did not answer: {error}") from error
            yield Exchange(head, content)
        finally:
            writer.close()

    async def call(
        self, method: str, path: str, body: Any = None, limit: float = 10.0, fields: Optional[http.Fields] = None
    ) -> Any:
        """A call of this program's own: JSON in, JSON out, within `limit` seconds.

        fields: a client's, whose credentials are then used instead of this program's. Raises `Unreachable`, `Refused`.
        """
        raw = b"" if body is None else json.dumps(body).encode()
        sent: http.Fields = [("Host", self.address), ("Content-Type", "application/json")]
        if fields is not None:
            sent += [(name, value) for name, value in fields if name.lower() in ("authorization", "x-api-key")]
        elif self.api_key:
            sent.append(("Authorization", f"Bearer {self.api_key}"))
        try:
            return await asyncio.wait_for(self._call(method, path, sent, raw), limit)
        except asyncio.TimeoutError as error:
            raise Unreachable(f"llama-server did not answer {method} {path} within {limit:.1f} s") from error

    async def _call(self, method: str, path: str, fields: http.Fields, raw: bytes) -> Any:
        async with self.exchange(method, self.prefix + path, fields, raw) as exchange:
            parts: list[bytes] = []
            total = 0
            try:
                async for piece in exchange.body:
                    parts.append(piece)
                    if (total := total + len(piece)) > ANSWER_LIMIT:
                        raise Unreachable(f"llama-server's answer to {path} is larger than {ANSWER_LIMIT} bytes")
                answer = json.loads(b"".join(parts))
            except (OSError, http.ProtocolError, ValueError, RecursionError) as error:
                if exchange.head.status != 200:
                    raise Refused(exchange.head.status, f"llama-server refused {path}") from error
                raise Unreachable(f"llama-server's answer to {path} is not JSON: {error}") from error
            if exchange.head.status != 200:
                raise Refused(exchange.head.status, _error_text(answer, path))
            return answer


def _error_text(answer: Any, path: str) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    text = error.get("message") if isinstance(error, dict) else None
    return f"llama-server refused {path}: {text or 'no reason given'}"
