"""What each slot of llama-server holds, as far as is known, and which one a prompt should go to. No I/O."""

# Invariants:
# - A slot's `tokens` are what it begins with; None says that nothing is known, [] that it holds nothing.
# - `exact` only where `tokens` are known; `unsaved` only where `tokens` are known and not empty.
# - `version` grows with every change of what the slot holds, so that a save that took long marks only what it saved.
# - Whoever set `busy` is the only one who changes the slot until it is not.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional


#: Which work a slot did last, as llama-server numbers it; None for none.
Task = Optional[int]
#: This program's own last work, whose number was not asked for yet.
OWN: Task = -2


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Tokens at the beginning that are equal."""
    length = min(len(first), len(second))
    if list(first[:length]) == list(second[:length]):
        return length
    return next(index for index in range(length) if first[index] != second[index])


@dataclass
class Slot:
    """A slot. `task` is what llama-server said of its last work, by which work of others is seen."""

    index: int
    tokens: Optional[list[int]] = field(default_factory=list)
    exact: bool = True
    unsaved: bool = False
    busy: bool = False
    used: int = 0
    version: int = 0
    task: Task = None

    def held(self, prompt: Sequence[int]) -> int:
        """Tokens of the prompt that the slot surely holds."""
        return common_length(self.tokens or [], prompt)

    def continues(self, prompt: Sequence[int]) -> bool:
        """Whether the prompt goes on with the slot's conversation: at least half of what it holds is kept."""
        held = self.held(prompt)
        return held > 0 and 2 * held >= len(self.tokens or [])

    def hold(self, tokens: Optional[Sequence[int]], exact: bool, unsaved: bool) -> None:
        """Notes what the slot holds now."""
        self.tokens = None if tokens is None else list(tokens)
        self.exact = exact and tokens is not None
        self.unsaved = unsaved and bool(tokens)
        self.version += 1

    def saved(self, tokens: Sequence[int], version: int) -> None:
        """Notes that these tokens, which it held at that version, are in the store."""
        if version == self.version:
            self.hold(tokens, exact=True, unsaved=False)

    def loses(self, prompt: Sequence[int]) -> bool:
        """Whether the prompt's work takes away something that is not saved."""
        return self.unsaved and self.held(prompt) < len(self.tokens or [])


class SlotTable:
    """All slots of a llama-server."""

    def __init__(self, count: int) -> None:
        self.slots = [Slot(index) for index in range(count)]
        self._clock = 0

    def __len__(self) -> int:
        return len(self.slots)

    def choose(
        self, prompt: Optional[Sequence[int]], wished: Optional[int] = None, longest: bool = False
    ) -> Optional[Slot]:
        """The slot for a prompt: the wished one; else an idle one whose conversation it continues, the longest first;
        else the idle one that was not used for the longest time. None where it must wait.

        longest: nothing can be restored, so that whichever idle slot holds most of the prompt is the best.
        """
        if wished is not None:
            slot = self.slots[wished % len(self.slots)]
            return None if slot.busy else slot
        idle = [slot for slot in self.slots if not slot.busy]
        if not idle:
            return None
        if prompt:
            fitting = [slot for slot in idle if slot.continues(prompt) or (longest and slot.held(prompt) > 0)]
            if fitting:
                return max(fitting, key=lambda slot: (slot.held(prompt), -len(slot.tokens or []), slot.used))
        return min(idle, key=lambda slot: (slot.tokens != [], slot.used))

    def take(self, slot: Slot) -> None:
        """Makes a slot busy."""
        slot.busy = True
        self._clock += 1
        slot.used = self._clock

    def give_back(self, slot: Slot) -> None:
        """Makes a slot idle."""
        slot.busy = False

    def forget(self) -> None:
        """Notes that all slots are empty: llama-server was started anew."""
        for slot in self.slots:
            slot.hold([], exact=True, unsaved=False)
            slot.task = None

    def observe(self, tasks: Sequence[Task], known: Sequence[Slot] = ()) -> list[Slot]:
        """Takes in which work each slot did last. An idle slot that did other work than before was used by others,
        where it is not among `known`: what it holds is not known any more. Returns those."""
        changed = []
        for slot, task in zip(self.slots, tasks):
            if slot.busy and slot not in known:
                continue
            if task != slot.task:
                own, slot.task = slot.task == OWN, task
                if not own and slot not in known:
                    slot.hold(None, exact=False, unsaved=False)
                    changed.append(slot)
        return changed

    def assert_invariants(self) -> None:
        """Checks what stands at this file's beginning."""
        for slot in self.slots:
            assert slot.tokens is not None or not slot.exact
            assert slot.tokens or not slot.unsaved
