"""What is done around a request, in which order, and what becomes of failures; server and store are stand-ins."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import threading
import unittest
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import proxy  # noqa: F401  (finds the package)
from kvpager.server.counters import Counters
from kvpager.server.keeper import Keeper
from kvpager.server.scratch import Scratch
from kvpager.server.shelf import Found, NotStorable, ShelfError
from kvpager.server.slots import SlotTable
from kvpager.server.upstream import Refused

RED, BLUE = list(range(100, 200)), list(range(300, 400))


class FakeServer:
    """Notes the slot actions that it is asked for; its slots never did anything."""

    def __init__(self, events: list[str]) -> None:
        self.events = events
        self.refuses: set[str] = set()

    async def call(self, method: str, path: str, body: Any = None, limit: float = 0, fields: Any = None) -> Any:
        if path == "/slots":
            return [{"id": 0}, {"id": 1}]
        action = path.split("=")[1]
        self.events.append(f"{action} {path.split('/')[2][0]}")
        if action in self.refuses:
            raise Refused(400, f"no {action}")
        return {"n_saved": 100}


class FakeShelf:
    """Holds lists of tokens."""

    ready = True

    def __init__(self, events: list[str]) -> None:
        self.events = events
        self.held: list[list[int]] = []
        self.find_fails: Callable[[], None] = lambda: None
        self.keep_fails: Callable[[], None] = lambda: None

    def find(self, tokens: Sequence[int]) -> Found:
        self.find_fails()
        common = [sum(1 for _ in _equal(tokens, one)) for one in self.held]
        return Found(max(common, default=0))

    def write(self, found: Found, tokens: Sequence[int], file: Path, has_room: Any) -> list[int]:
        file.write_bytes(b"state")
        return list(tokens[: found.token_count])

    def keep(self, file: Path, prompt: Sequence[int]) -> list[int]:
        self.keep_fails()
        self.events.append("keep")
        self.held.append([*prompt, 1, 2])
        return self.held[-1]

    def close(self) -> None:
        pass


def _equal(first: Sequence[int], second: Sequence[int]) -> Any:
    for one, other in zip(first, second):
        if one != other:
            return
        yield one


class Keeping(unittest.TestCase):
    def run_with(self, work: Callable[[Keeper], Coroutine[Any, Any, None]], slots: int = 1) -> None:
        logging.getLogger("kvpager.server").setLevel(logging.CRITICAL)
        self.events: list[str] = []
        with tempfile.TemporaryDirectory() as folder:

            async def run() -> None:
                self.server, self.shelf = FakeServer(self.events), FakeShelf(self.events)
                scratch = Scratch(folder)
                keeper = Keeper(self.server, self.shelf, scratch, Counters(), 0.0, False)  # type: ignore[arg-type]
                keeper.table = SlotTable(slots)
                keeper.enabled = True
                try:
                    await asyncio.wait_for(work(keeper), 60)
                finally:
                    await keeper.finish(10)
                keeper.table.assert_invariants()
                self.assertEqual(list(Path(folder).iterdir()), [])

            asyncio.run(run())

    async def ask(self, keeper: Keeper, tokens: list[int] | None, computed: bool = True, **more: Any) -> None:
        settings = {"wished": None, "pinned": True, "storable": True, "reuses": True, **more}
        async with keeper.turn(tokens, **settings) as turn:
            self.events.append(f"compute {turn.slot.index}")
            turn.computed = computed

    def test_another_conversation_is_saved_before_its_slot_is_taken_and_restored_when_it_goes_on(self) -> None:
        async def work(keeper: Keeper) -> None:
            await self.ask(keeper, RED)
            await self.ask(keeper, BLUE)
            await keeper.flush()
            await self.ask(keeper, [*RED, 1, 2, *range(50)])
            self.assertEqual((keeper.counters.hits, keeper.counters.misses, keeper.counters.saves), (1, 2, 2))

        self.run_with(work)
        order = [event for event in self.events if event != "keep"]
        self.assertEqual(order[:7], ["compute 0", "save 0", "compute 0", "save 0", "restore 0", "compute 0", "save 0"])

    def test_a_conversation_that_goes_on_in_its_slot_is_neither_saved_nor_restored(self) -> None:
        async def work(keeper: Keeper) -> None:
            await self.ask(keeper, RED)
            await self.ask(keeper, [*RED, *range(30)])
            self.assertEqual(self.events, ["compute 0", "compute 0"])
            self.assertEqual((keeper.counters.held, keeper.counters.hits), (1, 0))

        self.run_with(work)

    def test_a_gain_of_few_tokens_is_not_worth_a_restore(self) -> None:
        async def work(keeper: Keeper) -> None:
            self.shelf.held.append(RED[:10])
            await self.ask(keeper, RED)
            self.assertEqual(self.events, ["compute 0"])

        self.run_with(work)

    def test_a_restore_that_takes_longer_than_computing_is_not_done(self) -> None:
        async def work(keeper: Keeper) -> None:
            self.shelf.held.append(RED)
            keeper.counters.prompt_speed, keeper.counters.load_speed = 10_000.0, 100.0
            await self.ask(keeper, RED)
            self.assertEqual(self.events, ["compute 0"])
            for _ in range(20):  # one slow restore is not believed for ever
                keeper.table.forget()
                await self.ask(keeper, RED)
            self.assertEqual(self.events[-2:], ["restore 0", "compute 0"])

        self.run_with(work)

    def test_a_store_that_fails_or_hangs_lets_the_request_compute(self) -> None:
        async def work(keeper: Keeper) -> None:
            def fail() -> None:
                raise ShelfError("damaged", "damaged")

            self.shelf.find_fails = fail
            await self.ask(keeper, RED)
            ending = threading.Event()
            self.addCleanup(ending.set)
            self.shelf.find_fails = lambda: [ending.wait(60), None][1]
            keeper.counters.prompt_speed = 1_000_000.0
            await self.ask(keeper, BLUE)
            ending.set()
            self.assertEqual(self.events.count("compute 0"), 2)
            self.assertEqual(dict(keeper.counters.failures), {"damaged": 1, "timeLimit": 1})

        self.run_with(work)

    def test_an_error_of_its_own_lets_the_request_compute(self) -> None:
        async def work(keeper: Keeper) -> None:
            self.shelf.find_fails = lambda: {}["mistake"]
            await self.ask(keeper, RED)
            self.assertEqual((self.events, dict(keeper.counters.failures)), (["compute 0"], {"KeyError": 1}))

        self.run_with(work)

    def test_a_slot_api_that_refuses_lets_the_request_compute(self) -> None:
        async def work(keeper: Keeper) -> None:
            self.server.refuses = {"save", "restore"}
            self.shelf.held.append(BLUE)
            await self.ask(keeper, RED)
            await self.ask(keeper, BLUE)
            self.assertEqual(self.events.count("compute 0"), 2)
            self.assertEqual(keeper.counters.failures["slotAPI"], 1)

        self.run_with(work)

    def test_a_state_that_must_not_be_stored_is_counted_and_left(self) -> None:
        async def work(keeper: Keeper) -> None:
            def fail() -> None:
                raise NotStorable("shifted")

            self.shelf.keep_fails = fail
            await self.ask(keeper, RED)
            await keeper.flush()
            self.assertEqual((keeper.counters.saves, keeper.counters.failures["notStorable"]), (0, 1))
            await self.ask(keeper, BLUE, storable=False)
            await keeper.flush()
            self.assertEqual(self.events.count("save 0"), 1)

        self.run_with(work)

    def test_a_refused_request_changes_nothing_that_is_known_of_its_slot(self) -> None:
        async def work(keeper: Keeper) -> None:
            await self.ask(keeper, RED)
            await self.ask(keeper, [*RED, 5], computed=False)
            slot = keeper.table.slots[0]
            self.assertEqual((slot.tokens, slot.unsaved, slot.busy), (RED, True, False))

        self.run_with(work)

    def test_who_waits_gets_the_slot_when_it_is_given_back_and_who_leaves_does_not(self) -> None:
        async def work(keeper: Keeper) -> None:
            held = asyncio.Event()

            async def hold() -> None:
                async with keeper.turn(RED, None, True, True, True):
                    await held.wait()

            first = asyncio.create_task(hold())
            await asyncio.sleep(0)
            waiting = [asyncio.create_task(self.ask(keeper, BLUE)) for _ in range(3)]
            await asyncio.sleep(0.05)
            self.assertEqual(self.events, [])
            waiting[0].cancel()
            held.set()
            await asyncio.gather(first, *waiting[1:])
            self.assertEqual(self.events.count("compute 0"), 2)
            self.assertFalse(keeper.table.slots[0].busy)

        self.run_with(work)

    def test_a_client_that_leaves_while_its_slot_is_prepared_gives_it_back(self) -> None:
        async def work(keeper: Keeper) -> None:
            ending = threading.Event()
            self.addCleanup(ending.set)
            self.shelf.find_fails = lambda: [ending.wait(60), None][1]
            leaving = asyncio.create_task(self.ask(keeper, RED))
            await asyncio.sleep(0.05)
            self.assertTrue(keeper.table.slots[0].busy)
            leaving.cancel()
            ending.set()
            await asyncio.gather(leaving, return_exceptions=True)
            self.shelf.find_fails = lambda: None
            await self.ask(keeper, BLUE)
            self.assertEqual(self.events, ["compute 0"])

        self.run_with(work)


if __name__ == "__main__":
    unittest.main()
