"""Figures in words. What was measured and what was estimated are never mixed up."""

from __future__ import annotations

from .keeper import Return

LEAST_MEASURED = 128
"""Tokens that a speed must have been measured on: fewer are computed slower, and would flatter kvpager."""


def counted(count: int, what: str = "token") -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    if seconds < 0.0995:
        return f"{seconds * 1000:.1f} ms" if seconds < 0.00995 else f"{seconds * 1000:.0f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def brought_back(back: Return, wanted: int) -> str:
    """How a conversation came back; `wanted` tokens were saved."""
    if back.failure:
        lost = wanted - back.token_count
        why = back.failure.partition(";")[0]  # what follows is the remedy, which is taken here
        return f"the store gives {back.token_count:,} of {counted(wanted)}, {lost:,} are computed again: {why}"
    shares = f"kvpager {duration(back.store_seconds)}, llama.cpp {duration(back.engine_seconds)}"
    return (f"{counted(back.token_count)} came back in {duration(back.seconds)} ({shares}); "
            "none of them is computed again")  # fmt: skip


def first_answer(
    back: Return, computed: int, first_token: float, speed: tuple[int, float], measured: float | None
) -> str:
    """The first answer after a start: what was reused, and the time to its first token with and without."""
    total = back.token_count + computed
    text = f"{counted(total)} of prompt: {back.token_count:,} from kvpager, {computed:,} computed"
    text += f"; time to first token {duration(first_token + back.seconds)}"
    if back.token_count == 0:
        return text
    text += f" ({duration(back.seconds)} of it to resume)"
    return text + "; " + without(total, speed, measured)


def without(total: int, speed: tuple[int, float], measured: float | None) -> str:
    if measured is not None:
        return f"without kvpager {duration(measured)} (measured: computed anew in a second context)"
    tokens, seconds = speed
    if tokens < LEAST_MEASURED or seconds <= 0:
        return "without kvpager: --compare measures it"
    rate = tokens / seconds
    return (f"without kvpager about {duration(total / rate)} (estimated from {rate:,.0f} tokens/s, seen "
            f"when {counted(tokens)} were computed; --compare measures it)")  # fmt: skip


def later_answer(held: int, computed: int, first_token: float) -> str:
    return f"{held:,} tokens in the context, {computed:,} computed; time to first token {duration(first_token)}"
