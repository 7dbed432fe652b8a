"""HTTP/1.1 on the wire: heads, bodies and their limits. Knows nothing of models.

What a peer sends is checked before it is believed: heads and bodies have limits, framing that can be read in two ways
is refused, and hop-by-hop fields never pass from one side to the other.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

#: Bytes of a head, and of one read of a body.
HEAD_LIMIT = 64 << 10
READ_SIZE = 64 << 10

Fields = list[tuple[str, str]]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*\Z")
_TARGET = re.compile(r"(/[\x21-\x7e\x80-\xff]*|\*)\Z")
_HOP_BY_HOP = frozenset((
    "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade", "expect",
))  # fmt: skip


class ProtocolError(Exception):
    """A message that is not understood. `status` is what a client is answered."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class RequestHead:
    """A request without its body. `target` is as the client sent it, path and query."""

    method: str
    target: str
    version: tuple[int, int]
    fields: Fields

    @property
    def keeps_alive(self) -> bool:
        """Whether the client wants to send another request on this connection."""
        wishes = field_tokens(self.fields, "connection")
        return "keep-alive" in wishes if self.version < (1, 1) else "close" not in wishes


@dataclass
class ResponseHead:
    """A response without its body."""

    status: int
    reason: str
    fields: Fields


def field(fields: Fields, name: str) -> str | None:
    """The first field of that name (lower case)."""
    return next((value for key, value in fields if key.lower() == name), None)


def field_tokens(fields: Fields, name: str) -> list[str]:
    """The comma-separated words of all fields of that name, in lower case."""
    values = (value for key, value in fields if key.lower() == name)
    return [word.strip().lower() for value in values for word in value.split(",") if word.strip()]


def end_to_end(fields: Fields, without: Iterable[str] = ()) -> Fields:
    """The fields that go on to the other side: none that concern one connection only."""
    dropped = _HOP_BY_HOP.union(field_tokens(fields, "connection"), without)
    return [(key, value) for key, value in fields if key.lower() not in dropped]


async def read_request_head(reader: asyncio.StreamReader) -> RequestHead | None:
    """The next request; None where the client has closed the connection between two."""
    lines = await _head_lines(reader)
    if lines is None:
        return None
    parts = lines[0].split(" ")
    if len(parts) != 3 or not _TOKEN.match(parts[0]) or not (version := re.match(r"HTTP/(1)\.([01])\Z", parts[2])):
        raise ProtocolError(400, "this is not an HTTP/1.1 request")
    if not _TARGET.match(parts[1]):
        raise ProtocolError(400, "the request's target is no path")
    return RequestHead(parts[0], parts[1], (1, int(version[2])), _fields(lines[1:]))


async def read_response_head(reader: asyncio.StreamReader) -> ResponseHead:
    """The response's head, interim responses (1xx) left out."""
    while True:
        lines = await _head_lines(reader)
        if lines is None:
            raise ProtocolError(502, "the connection ended before the response")
        match = re.match(r"HTTP/1\.[01] (\d{3})(?: (.*))?\Z", lines[0])
        if match is None:
            raise ProtocolError(502, "the response is not HTTP/1.1")
        if match[1][0] != "1":
            return ResponseHead(int(match[1]), match[2] or "", _fields(lines[1:]))


async def _head_lines(reader: asyncio.StreamReader) -> list[str] | None:
    while True:
        try:
            raw = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as end:
            if end.partial.strip():
                raise ProtocolError(400, "the head is cut off") from end
            return None
        except asyncio.LimitOverrunError as excess:
            raise ProtocolError(431, f"the head is larger than {HEAD_LIMIT} bytes") from excess
        text = raw.decode("latin-1").strip("\r\n")
        if text:
            return text.split("\r\n")


def _fields(lines: list[str]) -> Fields:
    fields: Fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        value = value.strip(" \t")
        if not colon or not _TOKEN.match(name) or not _VALUE.match(value):
            raise ProtocolError(400, "a header field is malformed")
        fields.append((name, value))
    return fields


def body_length(fields: Fields) -> int | None:
    """Bytes of a body by its Content-Length, None for a chunked one, 0 where neither is told.

    Raises `ProtocolError` for framing that two readers could read differently.
    """
    codings = field_tokens(fields, "transfer-encoding")
    lengths = set(field_tokens(fields, "content-length"))
    if codings:
        if codings != ["chunked"] or lengths:
            raise ProtocolError(400, "the body's framing is not understood")
        return None
    if not lengths:
        return 0
    length = lengths.pop()
    if lengths or not re.match(r"[0-9]{1,15}\Z", length):
        raise ProtocolError(400, "the body's length is not understood")
    return int(length)


async def read_body(reader: asyncio.StreamReader, fields: Fields, limit: int) -> bytes:
    """A request's whole body. Raises `ProtocolError` (413) where it is larger than `limit` bytes."""
    length = body_length(fields)
    if length is not None and length > limit:
        raise ProtocolError(413, f"the body is larger than {limit} bytes")
    parts: list[bytes] = []
    total = 0
    pieces = chunked(reader) if length is None else exactly(reader, length)
    async for piece in pieces:
        total += len(piece)
        if total > limit:
            raise ProtocolError(413, f"the body is larger than {limit} bytes")
        parts.append(piece)
    return b"".join(parts)


async def exactly(reader: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    """The next `length` bytes, as they come."""
    while length > 0:
        piece = await reader.read(min(length, READ_SIZE))
        if not piece:
            raise ProtocolError(400, "the body is cut off")
        length -= len(piece)
        yield piece


async def chunked(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """A chunked body's bytes, as they come; trailers are dropped."""
    while True:
        line = await _line(reader)
        size = line.split(b";")[0].strip()
        if not re.match(rb"[0-9a-fA-F]{1,12}\Z", size):
            raise ProtocolError(400, "a chunk's size is malformed")
        if (length := int(size, 16)) == 0:
            break
        async for piece in exactly(reader, length):
            yield piece
        if await _line(reader):
            raise ProtocolError(400, "a chunk is longer than its size")
    for _ in range(100):
        if not await _line(reader):
            return
    raise ProtocolError(400, "too many trailer fields")


async def until_end(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """All bytes until the peer closes."""
    while piece := await reader.read(READ_SIZE):
        yield piece


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return (await reader.readuntil(b"\r\n"))[:-2]
    except asyncio.IncompleteReadError as end:
        raise ProtocolError(400, "the body is cut off") from end
    except asyncio.LimitOverrunError as excess:
        raise ProtocolError(400, "a chunk's line is too long") from excess


def response_body(reader: asyncio.StreamReader, method: str, head: ResponseHead) -> AsyncIterator[bytes]:
    """The body that belongs to a response, as its bytes come."""
    if method == "HEAD" or head.status in (204, 304):
        return exactly(reader, 0)
    if field(head.fields, "transfer-encoding") is None and field(head.fields, "content-length") is None:
        return until_end(reader)
    length = body_length(head.fields)
    return chunked(reader) if length is None else exactly(reader, length)


def head_bytes(first_line: str, fields: Fields) -> bytes:
    """A head as it goes over the wire."""
    lines = [first_line, *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1")
