"""What a store tells of a session, as a value; and times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from .errors import InvalidArgument

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


def time_from(microseconds: int | None) -> datetime | None:
    """The time that a number of microseconds since 1970 UTC means."""
    if microseconds is None:
        return None
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=timezone.utc)


def microseconds_from(time: datetime) -> int:
    """Microseconds since 1970 UTC. Raises `InvalidArgument` for a time without a zone."""
    if time.tzinfo is None:
        raise InvalidArgument("a time without a zone: use datetime.now(timezone.utc) and the like")
    return (time - _EPOCH) // _MICROSECOND


@dataclass(frozen=True)
class SessionInfo:
    """A session as it is now. `space_id` is its cache space's "id"; times are None for never."""

    name: str
    space_id: int
    token_count: int
    block_count: int
    committed: bool
    #: Bytes of the checkpoint, 0 for none.
    checkpoint_bytes: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    created: datetime | None = None
    updated: datetime | None = None
    expires: datetime | None = None

    @classmethod
    def _from_json(cls, members: Mapping[str, Any]) -> SessionInfo:
        return cls(
            name=members["name"],
            space_id=members["space"],
            token_count=members["tokens"],
            block_count=members["blocks"],
            committed=members["committed"],
            checkpoint_bytes=members["checkpointBytes"],
            metadata=members["metadata"],
            created=time_from(members["created"]),
            updated=time_from(members["updated"]),
            expires=time_from(members["expires"]),
        )
