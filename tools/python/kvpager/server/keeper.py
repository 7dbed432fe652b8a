"""Keeps the slots' states: restores before a request goes in, saves when a slot has come to rest.

Nothing here fails a request. What the store or the slot API cannot do is counted, said in the log, and the request is
computed. The work that stands in a request's way has a time limit: what computing the same tokens would take.
"""

# Invariants:
# - A slot is changed (request, save, restore) only by the task that took it; `_give_back` wakes who waits.
# - A slot file is deleted by the task that asked for it, whatever happened.
# - One save is taken into the store at a time.

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, AsyncIterator, Optional, TypeVar

from .counters import Counters
from .scratch import Scratch
from .shelf import Found, NotStorable, Shelf, ShelfError
from .slots import OWN, Slot, SlotTable, Task
from .upstream import Refused, Unreachable, Upstream

log = logging.getLogger("kvpager.server")

#: Tokens by which the store must beat the slot before a restore is worth its fixed cost.
LEAST_GAIN = 16
#: Seconds that a look-up or restore may take before the prompt's speed is known, and at least and at most.
FIRST_LIMIT, LEAST_LIMIT, MOST_LIMIT = 10.0, 0.5, 60.0
#: Seconds for saving a slot to a file, which waits for the batch that llama-server computes.
SAVE_LIMIT = 60.0
#: Seconds between two lines in the log about the same kind of failure.
QUIET_SECONDS = 30.0

Value = TypeVar("Value")


@dataclass
class Turn:
    """One request's use of a slot. `tokens` is its prompt, None where it is not known or not to be stored; `pinned`
    says that it names the slot; `computed` becomes false where llama-server refused it."""

    slot: Slot
    tokens: Optional[list[int]]
    pinned: bool
    computed: bool = True


#: A slot's last work and what it held before a request: tokens, whether exactly, whether unsaved.
Before = tuple[Task, Optional[list[int]], bool, bool]


class Keeper:
    """The slots of one llama-server and the store in which their states are kept."""

    def __init__(
        self, upstream: Upstream, shelf: Shelf, scratch: Scratch, counters: Counters, delay: float, foreign: bool
    ) -> None:
        """delay: seconds a slot must be idle before it is saved. foreign: others may use the server, too."""
        self.upstream = upstream
        self.shelf = shelf
        self.scratch = scratch
        self.counters = counters
        self.table = SlotTable(1)
        self.enabled = False
        self._delay = delay
        self._foreign = foreign
        self._observes = True
        self._waiters: list[asyncio.Future[None]] = []
        self._taking_in = asyncio.Lock()
        self._saver = ThreadPoolExecutor(1, "kvpager-save")
        self._loader = ThreadPoolExecutor(2, "kvpager-load")
        self._said: dict[str, float] = {}
        self._waking = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._abandoned: list[Path] = []

    # ---- Start and end

    async def meet(self) -> None:
        """Learns a llama-server that has just come up: its slots, and what their states are like."""
        self.enabled = False
        try:
            slots = await self._slots_of_server()
            if len(slots) != len(self.table):
                self.table = SlotTable(len(slots))
            self.table.forget()
            self.table.observe(slots, self.table.slots)
            if not await self._learn_from_slots():
                return
            self.enabled = True
            await self._on_thread(self._loader, self.shelf.open)
        except ShelfError as error:
            self.fail(error.code, f"the store is not used: {error}")
        except (Refused, Unreachable, OSError) as error:
            self.fail("slotAPI", f"the slots are not kept, and every request is computed: {error}")

    async def _slots_of_server(self) -> list[Task]:
        try:
            answer = await self.upstream.call("GET", "/slots")
            self._observes = True
            return [slot.get("id_task") for slot in answer]
        except Refused:
            self._observes = False  # started with --no-slots
            properties = await self.upstream.call("GET", "/props")
            return [None] * int(properties["total_slots"])

    async def _learn_from_slots(self) -> bool:
        """Learns from what a slot holds; where all are empty, one token is computed for it."""
        learned = False
        for slot in self.table.slots if self._foreign else []:
            learned = await self._learn_from(slot) or learned
        if not learned:
            tokens = (await self.upstream.call("POST", "/tokenize", {"content": "a"}))["tokens"]
            probe = {"prompt": tokens, "n_predict": 1, "id_slot": 0, "cache_prompt": False}
            await self.upstream.call("POST", "/completion", probe, limit=120.0)
            learned = await self._learn_from(self.table.slots[0], probe=True)
            await self.upstream.call("POST", "/slots/0?action=erase", {})
            await self.observe(self.table.slots)
        return learned

    async def _learn_from(self, slot: Slot, probe: bool = False) -> bool:
        file = self.scratch.new_file()
        try:
            answer = await self._slot_action(slot, "save", file, SAVE_LIMIT)
            if not answer.get("n_saved"):
                return False
            if not file.exists():
                raise OSError(f"llama-server saves its slots elsewhere than in {self.scratch.folder}")
            await self._on_thread(self._loader, functools.partial(self.shelf.learn, file))
            if not probe:
                slot.hold(None, exact=False, unsaved=False)
            return True
        finally:
            file.unlink(missing_ok=True)

    def start(self) -> None:
        """Starts saving in the background."""
        self._spawn(self._save_for_ever())

    async def finish(self, limit: float) -> None:
        """Saves what is unsaved, within `limit` seconds, and closes the store."""
        try:
            await asyncio.wait_for(self.flush(), limit)
        except asyncio.TimeoutError:
            self.fail("timeLimit", f"not everything could be saved within {limit:.0f} s")
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._on_thread(self._loader, self.shelf.close, limit)
        except ShelfError as error:
            self._fail_with(error, "the store was not closed")
        for pool in (self._loader, self._saver):
            pool.shutdown(wait=False, cancel_futures=True)
        self._remove_abandoned()

    def lost(self) -> None:
        """Notes that llama-server is gone with all that its slots held."""
        self.enabled = False
        self.table.forget()

    # ---- A request

    @asynccontextmanager
    async def turn(
        self, tokens: Optional[list[int]], wished: Optional[int], pinned: bool, storable: bool, reuses: bool
    ) -> AsyncIterator[Turn]:
        """A slot for a request, as well prepared as can be; waits where all are busy."""
        if self._foreign:
            await self.observe()
        slot = await self._take(tokens, wished)
        turn = Turn(slot, tokens if storable else None, pinned)
        preparing = self._spawn(self._prepare_or_compute(slot, tokens if reuses else None))
        try:
            await asyncio.shield(preparing)
        except asyncio.CancelledError:  # the client left; what was begun is ended first
            preparing.add_done_callback(lambda _: self._give_back(slot))
            raise
        before = slot.task, slot.tokens, slot.exact, slot.unsaved
        slot.hold(None, exact=False, unsaved=False)  # it changes now: a save that is under way marks nothing
        version = slot.version
        try:
            yield turn
        finally:
            if not pinned and self._observes:
                self._spawn(self._note_unpinned(turn, before, version))
            else:
                slot.task = OWN
                self._note(slot, version, turn if turn.computed else None, before)
                self._give_back(slot)
                if self._foreign:
                    self._spawn(self._look())

    def _note(self, slot: Slot, version: int, turn: Optional[Turn], before: Before) -> None:
        """Notes what a slot holds after a request: its prompt, or what it held before where there is none."""
        if slot.version != version:
            return  # llama-server was started anew meanwhile
        if turn is not None:
            slot.hold(turn.tokens, exact=False, unsaved=self.enabled)
        else:
            _, tokens, exact, unsaved = before
            slot.hold(tokens, exact, unsaved)

    async def _note_unpinned(self, turn: Turn, before: Before, version: int) -> None:
        """Notes what the slot that llama-server chose by itself holds after a request."""
        try:
            others = await self.observe([turn.slot])
            chosen = turn.slot.task != before[0]
            self._note(turn.slot, version, turn if chosen and turn.computed else None, before)
            if not chosen and turn.computed and len(others) == 1:
                others[0].hold(turn.tokens, exact=False, unsaved=self.enabled)
        finally:
            self._give_back(turn.slot)

    async def _take(self, tokens: Optional[list[int]], wished: Optional[int]) -> Slot:
        while True:
            slot = self.table.choose(tokens, wished, longest=not (self.enabled and self.shelf.ready))
            if slot is not None:
                self.table.take(slot)
                return slot
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def _give_back(self, slot: Slot) -> None:
        self.table.give_back(slot)
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waking.set()

    async def _prepare_or_compute(self, slot: Slot, tokens: Optional[list[int]]) -> None:
        try:
            await self._prepare(slot, tokens)
        except (ShelfError, Refused, Unreachable, OSError) as error:
            self._fail_with(error, "computed instead of restored")
        except Exception as error:
            log.exception("computed instead of restored")
            self.counters.failures[type(error).__name__] += 1

    async def _prepare(self, slot: Slot, tokens: Optional[list[int]]) -> None:
        if not self.enabled:
            return
        if slot.loses(tokens or []):
            await self._save(slot)
        if not tokens:
            return
        held = slot.held(tokens)
        found = Found(0)
        if len(tokens) - held >= LEAST_GAIN:
            limit = self._limit(len(tokens) - held)
            found = await self._on_thread(self._loader, functools.partial(self.shelf.find, tokens), limit)
        gain = found.token_count - held
        if gain >= LEAST_GAIN and self.counters.is_worth_loading(found.token_count, gain):
            await self._restore(slot, found, tokens, self._limit(gain))
            self.counters.hits += 1
        elif held >= LEAST_GAIN:
            self.counters.held += 1
        else:
            self.counters.misses += 1

    def _limit(self, tokens: int) -> float:
        """Seconds that reusing so many tokens may take: what computing them does."""
        computing = self.counters.compute_seconds(tokens)
        return FIRST_LIMIT if computing is None else min(max(computing, LEAST_LIMIT), MOST_LIMIT)

    async def _restore(self, slot: Slot, found: Found, tokens: list[int], limit: float) -> None:
        file = self.scratch.new_file()
        began = time.monotonic()
        try:
            write = functools.partial(self.shelf.write, found, tokens, file, self.scratch.has_room)
            held = await self._on_thread(self._loader, write, limit, file)
            slot.hold(None, exact=False, unsaved=False)
            written = time.monotonic() - began
            answer = await self._slot_action(slot, "restore", file, self._patience(limit))
            slot.hold(held, exact=True, unsaved=False)
        finally:
            file.unlink(missing_ok=True)
        seconds = time.monotonic() - began
        self.counters.add_restore(len(held), seconds, written + _own_seconds(answer, seconds - written))
        log.info("slot %d: %d tokens restored in %.1f ms", slot.index, len(held), 1000 * seconds)

    def _patience(self, limit: float) -> float:
        """Seconds to wait for llama-server, which first ends the batch that another slot computes: so would the
        request itself have to wait."""
        alone = sum(slot.busy for slot in self.table.slots) <= 1
        return limit if alone and not self._foreign else MOST_LIMIT

    # ---- Saving

    async def flush(self) -> None:
        """Saves every idle slot that is unsaved, and waits until all of it is in the store."""
        await self.save_slots()
        pending = [task for task in self._tasks if task.get_name() == "take in"]
        if pending:
            await asyncio.wait(pending)

    async def _save_for_ever(self) -> None:
        while True:
            await self._waking.wait()
            self._waking.clear()
            await asyncio.sleep(self._delay)
            await self.save_slots()

    async def save_slots(self) -> None:
        """Saves every idle slot that is unsaved to a file; the files go into the store in the background."""
        for slot in self.table.slots:
            if slot.unsaved and not slot.busy and self.enabled:
                await self._save_idle(slot)

    async def _save_idle(self, slot: Slot) -> None:
        self.table.take(slot)
        used = slot.used
        try:
            await self._save(slot)
        except (ShelfError, Refused, Unreachable, OSError) as error:
            self._fail_with(error, "a slot was not saved")
        except Exception as error:
            log.exception("a slot was not saved")
            self.counters.failures[type(error).__name__] += 1
        finally:
            slot.used = used
            self._give_back(slot)

    async def _save(self, slot: Slot) -> None:
        """Saves a taken slot to a file, which goes into the store in the background."""
        file = self.scratch.new_file()
        prompt, version = list(slot.tokens or []), slot.version
        slot.unsaved = False  # whatever happens: what cannot be saved now could not be later
        try:
            answer = await self._slot_action(slot, "save", file, SAVE_LIMIT)
        except BaseException:
            file.unlink(missing_ok=True)
            raise
        if not answer.get("n_saved"):
            file.unlink(missing_ok=True)
            slot.hold([], exact=True, unsaved=False)  # the server emptied it
            return
        self._spawn(self._take_in(slot, file, prompt, version), "take in")

    async def _take_in(self, slot: Slot, file: Path, prompt: Sequence[int], version: int) -> None:
        async with self._taking_in:
            began = time.monotonic()
            try:
                tokens = await self._on_thread(self._saver, functools.partial(self.shelf.keep, file, prompt))
            except NotStorable as error:
                self.fail(error.code, f"slot {slot.index} is not stored: {error}")
                return
            except ShelfError as error:
                self._fail_with(error, "a slot was not stored")
                return
            finally:
                file.unlink(missing_ok=True)
            seconds = time.monotonic() - began
            slot.saved(tokens, version)
            self.counters.saves += 1
            self.counters.tokens_saved += len(tokens)
            self.counters.save_seconds += seconds
            log.info("slot %d: %d tokens saved in %.1f ms", slot.index, len(tokens), 1000 * seconds)

    async def _slot_action(self, slot: Slot, action: str, file: Path, limit: float) -> dict[str, Any]:
        path = f"/slots/{slot.index}?action={action}"
        self._remove_abandoned()
        try:
            answer = await self.upstream.call("POST", path, {"filename": file.name}, limit)
        except (Unreachable, asyncio.CancelledError):
            self._abandoned.append(file)  # the server may still write it
            raise
        return answer if isinstance(answer, dict) else {}

    def _remove_abandoned(self) -> None:
        for file in self._abandoned:
            file.unlink(missing_ok=True)
        del self._abandoned[:-20]

    # ---- What others do

    async def observe(self, known: Sequence[Slot] = ()) -> list[Slot]:
        """Sees which slots were used by others, whose contents are not known then. Returns those."""
        if not self.enabled or not self._observes:
            return []
        try:
            answer = await self.upstream.call("GET", "/slots", limit=1.0)
            tasks = [slot.get("id_task") for slot in answer]
        except (Refused, Unreachable, AttributeError, TypeError):
            return []
        changed = self.table.observe(tasks, known)
        for slot in changed:
            log.debug("slot %d was used by others", slot.index)
        return changed

    async def _look(self) -> None:
        await self.observe()

    def forget_slot(self, index: int) -> None:
        """Notes that a client changed a slot through the server's slot API."""
        self.table.slots[index % len(self.table)].hold(None, exact=False, unsaved=False)

    def forget_slots(self) -> None:
        """Notes that what the slots hold was computed otherwise than what is computed from now on."""
        for slot in self.table.slots:
            slot.hold(None, exact=False, unsaved=False)

    # ---- What is told

    def slots_as_json(self) -> list[dict[str, Any]]:
        """What is known of each slot."""
        return [
            {
                "id": slot.index, "busy": slot.busy, "unsaved": slot.unsaved,
                "tokens": None if slot.tokens is None else len(slot.tokens),
            }
            for slot in self.table.slots
        ]  # fmt: skip

    @property
    def saving(self) -> int:
        """Slot files that are on their way into the store."""
        return sum(task.get_name() == "take in" for task in self._tasks)

    async def store_statistics(self) -> dict[str, Any]:
        """The store's statistics. Raises `ShelfError`."""
        return dict(await self._on_thread(self._loader, self.shelf.statistics, FIRST_LIMIT))

    # ---- Machinery

    async def _on_thread(
        self, pool: ThreadPoolExecutor, work: Callable[[], Value], limit: Optional[float] = None,
        file: Optional[Path] = None,
    ) -> Value:
        """Runs blocking work on a pool; raises `ShelfError` where it takes longer than `limit` seconds. The file that
        it writes is deleted when it is done after all."""
        running = asyncio.get_running_loop().run_in_executor(pool, work)
        try:
            return await asyncio.wait_for(asyncio.shield(running), limit)
        except asyncio.TimeoutError as error:

            def forget(done: asyncio.Future[Value]) -> None:
                if not done.cancelled():
                    done.exception()
                if file is not None:
                    file.unlink(missing_ok=True)

            running.add_done_callback(forget)
            raise ShelfError("timeLimit", f"the store did not answer within {limit:.1f} s") from error

    def _spawn(self, work: Coroutine[Any, Any, None], name: str = "") -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work, name=name or None)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _fail_with(self, error: Exception, consequence: str) -> None:
        code = error.code if isinstance(error, ShelfError) else "slotAPI"
        self.fail(code, f"{consequence}: {error}")

    def fail(self, code: str, message: str) -> None:
        """Counts a failure and says it in the log, not more often than every half minute for each kind."""
        self.counters.failures[code] += 1
        now = time.monotonic()
        if now - self._said.get(code, -QUIET_SECONDS) >= QUIET_SECONDS:
            self._said[code] = now
            log.warning("%s", message)


def _own_seconds(answer: dict[str, Any], most: float) -> float:
    """What llama-server says that a restore took, without its wait for the batch of another slot."""
    timings = answer.get("timings")
    told = timings.get("restore_ms") if isinstance(timings, dict) else None
    return min(told / 1000, most) if isinstance(told, (int, float)) else most
