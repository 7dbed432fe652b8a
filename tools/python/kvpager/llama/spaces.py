"""Which of a store's cache spaces hold what an engine computes, and what they have of a prompt."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import kvpager

from .engine import Engine
from .shape import WHOLENESS, own_settings, row_settings

@dataclass(frozen=True)
class EngineSpace:
    """A cache space of this engine."""

    space: kvpager.Space
    description: Mapping[str, Any]

    @property
    def settings(self) -> Mapping[str, str]:
        settings: Mapping[str, str] = self.description["settings"]
        return settings

    @property
    def wholeness(self) -> str | None:
        """None: any prefix is a state. "whole", "opaque": only the sessions' checkpoints are; see `WHOLENESS`."""
        return self.settings.get(WHOLENESS)


@dataclass
class Found:
    """What a space has of a prompt: a prefix, or a session that is to be taken whole."""

    home: EngineSpace
    token_count: int
    prefix: kvpager.Prefix | None = None
    session: str | None = None

    def close(self) -> None:
        if self.prefix is not None:
            self.prefix.close()


def _is_set(variable: str) -> bool:
    """Whether llama.cpp takes an environment variable for true: atoi() gives another number than 0."""
    number = re.match(r"\s*[+-]?\d+", os.environ.get(variable, ""))
    return number is not None and int(number[0]) != 0


class EngineSpaces:
    """The cache spaces of one engine in a store. Several, where versions of llama.cpp have written them."""

    def __init__(
        self, store: kvpager.Store, engine: Engine, *, salt: str, settings: Mapping[str, str], block_tokens: int
    ) -> None:
        self.store, self.engine, self.salt, self.block_tokens = store, engine, salt, block_tokens
        self.own = {**engine.settings, **settings}
        if _is_set("LLAMA_ATTN_ROT_DISABLE"):
            self.own["rotation"] = "off"  # llama.cpp then keeps quantised rows as they are, and not each state tells
        if own_settings(self.own) != self.own:
            raise kvpager.InvalidArgument('names of settings do not begin with "llama." or "kvpager."')
        self._open: dict[int, EngineSpace] = {}

    def home_of(self, state: kvpager.State) -> EngineSpace:
        """The space that a state of this engine belongs to, made where there is none."""
        settings = {**self.own, **row_settings(state.settings)}
        planes = list(state.planes)
        if state.token_count == 0 and state.checkpoint_size > 0:
            settings[WHOLENESS], planes = "opaque", [kvpager.Plane("keys", 0, "raw", 1)]
        elif not state.can_be_cut or state.checkpoint_size > 0:
            settings[WHOLENESS] = "whole"
        return self._keep(self.store.space(
            model=self.engine.model, planes=planes, adapter=self.engine.adapter, settings=settings, salt=self.salt,
            block_tokens=self.block_tokens))  # fmt: skip

    def _keep(self, space: kvpager.Space) -> EngineSpace:
        description = space.description
        known = self._open.get(description["id"])
        if known is not None:
            space.close()
            return known
        self._open[description["id"]] = EngineSpace(space, description)
        return self._open[description["id"]]

    def all(self) -> list[EngineSpace]:
        """Every space whose rows this engine could have computed."""
        for description in self.store.spaces():
            if description["id"] not in self._open and self.fits(description):
                self._keep(self.store.space_by_id(description["id"]))
        return list(self._open.values())

    def fits(self, description: Mapping[str, Any]) -> bool:
        return (
            description["model"] == self.engine.model
            and description.get("adapter", "") == self.engine.adapter
            and description.get("salt", "") == self.salt
            and description.get("vllmSeed") is None
            and own_settings(description["settings"]) == self.own
        )

    def with_session(self, name: str, besides: EngineSpace | None = None) -> EngineSpace | None:
        """The engine's space (another than `besides`) that has a committed session of this name."""
        for home in self._known_then_new():
            if home is besides:
                continue
            try:
                home.space.session(name).close()
                return home
            except kvpager.NotFound:
                continue
        return None

    def _known_then_new(self) -> Iterator[EngineSpace]:
        """The spaces that are open, then those that others have made since, if anybody still asks."""
        known = list(self._open.values())
        yield from known
        yield from (home for home in self.all() if home not in known)

    def find(self, tokens: Sequence[int]) -> list[Found]:
        """What the spaces have of `tokens`, longest first; the caller closes each."""
        found: list[Found] = []
        if len(tokens) == 0:
            return found
        known = len(self._open)
        try:
            for index, home in enumerate(self._known_then_new()):
                hit = self._whole(home, tokens) if home.wholeness else self._prefix(home, tokens)
                if hit.token_count > 0:
                    found.append(hit)
                else:
                    hit.close()
                if found and index + 1 >= known:
                    break  # the store is asked for new spaces only where the known ones have nothing
        except kvpager.Error:
            for hit in found:
                hit.close()
            raise
        return sorted(found, key=lambda hit: -hit.token_count)

    def longest_state_bytes(self) -> int:
        """About the bytes of the longest session's state that fits the context; a block's where there is none."""
        homes = {home.description["id"]: home.description["tokenBytes"] for home in self.all()}
        sizes = [
            info.checkpoint_bytes + info.token_count * homes[info.space_id] for info in self.store.sessions()
            if info.space_id in homes and info.token_count <= self.engine.context_tokens]  # fmt: skip
        return max(sizes, default=0) or max((size * self.block_tokens for size in homes.values()), default=0)

    @staticmethod
    def _prefix(home: EngineSpace, tokens: Sequence[int]) -> Found:
        prefix = home.space.find(tokens)
        return Found(home, prefix.token_count, prefix=prefix)

    @staticmethod
    def _whole(home: EngineSpace, tokens: Sequence[int]) -> Found:
        name = home.space.longest_checkpoint(tokens)
        if name is None:
            return Found(home, 0)
        with home.space.session(name) as session:
            return Found(home, session.token_count, session=name)

    def close(self) -> None:
        for home in self._open.values():
            home.space.close()
        self._open.clear()
