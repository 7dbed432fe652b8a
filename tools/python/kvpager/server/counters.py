"""What was reused, computed, saved, and what failed."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Optional

_TIMING = re.compile(rb'"(cache_n|prompt_n|prompt_ms)"\s*:\s*([0-9.eE+-]+)')


class Counters:
    """Counts since the start. `prompt_speed` is the measured tokens a second of computing a prompt, None before any."""

    def __init__(self) -> None:
        self.requests = 0
        self.passed = 0
        self.hits = 0
        self.held = 0
        self.misses = 0
        self.tokens_reused = 0
        self.tokens_computed = 0
        self.tokens_restored = 0
        self.restores = 0
        self.restore_seconds = 0.0
        self.saves = 0
        self.tokens_saved = 0
        self.save_seconds = 0.0
        self.failures: Counter[str] = Counter()
        self.prompt_speed: Optional[float] = None
        self.load_speed: Optional[float] = None

    def add_timings(self, tail: bytes) -> bool:
        """Takes the timings out of the end of an answer. Returns whether there were any."""
        found: dict[bytes, float] = {}
        for name, number in _TIMING.findall(tail):
            try:
                found[name] = float(number)
            except ValueError:
                continue
        computed = found.get(b"prompt_n")
        if computed is None:
            return False
        self.tokens_computed += int(computed)
        self.tokens_reused += int(found.get(b"cache_n", 0))
        if computed >= 32 and (milliseconds := found.get(b"prompt_ms", 0.0)) > 0:
            self.prompt_speed = _blend(self.prompt_speed, 1000 * computed / milliseconds)
        return True

    def add_restore(self, tokens: int, seconds: float, own_seconds: float) -> None:
        """Counts a state that was put into a slot. own_seconds: of it, what was no waiting for other work."""
        self.restores += 1
        self.tokens_restored += tokens
        self.restore_seconds += seconds
        if own_seconds > 0:
            self.load_speed = _blend(self.load_speed, tokens / own_seconds)

    def is_worth_loading(self, tokens: int, gain: int) -> bool:
        """Whether restoring so many tokens takes less time than computing those of them that a slot lacks.

        Each no makes the next one less likely, so that one slow restore is not believed for ever."""
        if self.load_speed is None or self.prompt_speed is None:
            return True
        worth = tokens / self.load_speed < gain / self.prompt_speed
        if not worth:
            self.load_speed *= 1.5
        return worth

    def compute_seconds(self, tokens: int) -> Optional[float]:
        """How long computing so many prompt tokens takes, None before it was measured."""
        return tokens / self.prompt_speed if self.prompt_speed else None

    def as_json(self) -> dict[str, Any]:
        """All counts."""
        return {
            "requests": {"generating": self.requests, "passed": self.passed},
            "prompts": {"hits": self.hits, "held": self.held, "misses": self.misses},
            "tokens": {
                "reused": self.tokens_reused, "computed": self.tokens_computed,
                "restored": self.tokens_restored, "saved": self.tokens_saved,
            },
            "restores": {"count": self.restores, "seconds": round(self.restore_seconds, 6)},
            "saves": {"count": self.saves, "seconds": round(self.save_seconds, 6)},
            "failures": dict(self.failures),
            "promptTokensPerSecond": self.prompt_speed,
        }  # fmt: skip


def _blend(before: Optional[float], now: float) -> float:
    return now if before is None else 0.7 * before + 0.3 * now
