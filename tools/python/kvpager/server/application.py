"""The program as a whole: llama-server, store and proxy, from start to end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from typing import Any, Optional

import kvpager

from .child import Child, NoServer, find_engine, free_port
from .counters import Counters
from .frontend import Frontend
from .keeper import Keeper
from .model import adapter_label, context_settings, model_label, value_settings
from .options import Options
from .scratch import Scratch
from .shelf import Identity, Shelf, ShelfError
from .upstream import Refused, Unreachable, Upstream

log = logging.getLogger("kvpager.server")

#: Seconds for requests under way, and for saving, when the program is told to stop.
REQUEST_SECONDS, SAVE_SECONDS = 2.0, 8.0
#: Seconds between looks at a server that was attached to.
LOOK_SECONDS = 2.0


class StartFailed(Exception):
    """The program cannot start. The message says what helps."""


class Application:
    """One run of kvpager-llama-server."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.counters = Counters()
        self._ready = False
        self._met = False
        self._child: Optional[Child] = None
        self._stop = asyncio.Event()

    async def run(self) -> int:
        """Serves until SIGTERM or SIGINT. Returns the exit status. Raises `StartFailed`."""
        options = self.options
        try:
            kvpager.library_version()  # loads it
            self._scratch = Scratch(options.slot_save_path)
        except (kvpager.Error, OSError) as error:
            raise StartFailed(str(error)) from error
        try:
            return await self._run()
        finally:
            if self._child is not None:
                await self._child.end()
            self._scratch.close()

    async def _run(self) -> int:
        options = self.options
        if options.attach is not None:
            host, port, prefix = options.attach
            self._upstream = Upstream(host, port, prefix, options.api_key)
        else:
            try:
                links = self._scratch.folder / "libraries"
                engine = await asyncio.to_thread(find_engine, options.server, links)
            except NoServer as error:
                raise StartFailed(str(error)) from error
            self._child = Child(engine, free_port(), options.api_key)
            self._upstream = Upstream("127.0.0.1", self._child.port, self._child_prefix(), options.api_key)
        self._shelf = Shelf(options.store, options.memory or "256MiB", options.quota, Identity(""))
        foreign = options.attach is not None
        self._keeper = Keeper(
            self._upstream, self._shelf, self._scratch, self.counters, options.save_delay, foreign
        )
        frontend = Frontend(
            self._upstream, self._keeper, self.counters, options.body_limit, not foreign, self.report, self._reason,
            self.identify,
        )  # fmt: skip
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        try:
            port = await frontend.listen(options.host, options.port)
        except OSError as error:
            raise StartFailed(f"cannot listen on {options.host}:{options.port}: {error}") from error
        watching = asyncio.create_task(self._watch_child() if self._child is not None else self._watch_attached())
        self._keeper.start()
        ready = asyncio.create_task(self._announce(port))
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait((stopping, watching), return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        await frontend.close(REQUEST_SECONDS)
        for task in (ready, stopping, watching):
            if not task.done():
                task.cancel()
        failure = watching.exception() if watching.done() and not watching.cancelled() else None
        if self._ready:
            await self._keeper.finish(SAVE_SECONDS)
        if failure is not None:
            raise failure
        return 0

    async def _announce(self, port: int) -> None:
        while not self._met:
            await asyncio.sleep(0.05)
        host = f"[{self.options.host}]" if ":" in self.options.host else self.options.host
        print(f"kvpager-llama-server: listening on http://{host}:{port}", flush=True)

    # ---- llama-server

    def _child_prefix(self) -> str:
        given = self.options.arguments
        for place, argument in enumerate(given):
            name, equals, value = argument.partition("=")
            if name == "--api-prefix":
                return value if equals else given[place + 1] if place + 1 < len(given) else ""
        return ""

    def _child_arguments(self) -> list[str]:
        options = self.options
        assert self._child is not None
        arguments = ["--slot-save-path", f"{self._scratch.folder}{os.sep}", "--parallel", str(options.parallel)]
        if options.model is not None:
            arguments += ["--model", options.model]
        if options.ctx_size is not None:
            arguments += ["--ctx-size", str(options.ctx_size)]
        knows_cache = self._child.engine.binary is None or "--cache-ram" in self._child.engine.help_text
        if knows_cache and not any(one.split("=")[0] in ("--cache-ram", "-cram") for one in options.arguments):
            arguments += ["--cache-ram", "0"]  # the store does this, and a slot then keeps what it holds
        return [*arguments, *options.arguments]

    async def _watch_child(self) -> None:
        """Starts llama-server, and again whenever it ends. Raises `StartFailed` where it never came up."""
        assert self._child is not None
        if self.options.model is not None and not os.path.isfile(self.options.model):
            raise StartFailed(f"there is no model {self.options.model}")
        pause = 1.0
        while True:
            log.info("starting %s", self._child.engine.name)
            try:
                await self._child.start(self._child_arguments())
            except OSError as error:
                raise StartFailed(f"{self._child.engine.name} cannot be started: {error}") from error
            ending = asyncio.create_task(self._child.wait())
            meeting = asyncio.create_task(self._meet_when_ready())
            await asyncio.wait((ending, meeting), return_when=asyncio.FIRST_COMPLETED)
            if meeting.done():
                meeting.result()
            await ending
            meeting.cancel()
            self._ready = False
            self._keeper.lost()
            status = ending.result()
            if not self._met:
                raise StartFailed(f"llama-server ended with status {status} before it was ready; see above")
            log.error("llama-server ended with status %d and is started again in %.0f s", status, pause)
            self.counters.failures["serverEnded"] += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, 30.0)

    async def _watch_attached(self) -> None:
        """Meets the server that was attached to, and again whenever it was gone."""
        while True:
            await self._meet_when_ready()
            while self._ready:
                await asyncio.sleep(LOOK_SECONDS)
                try:
                    await self._upstream.call("GET", "/health", limit=30.0)
                except (Unreachable, Refused) as error:
                    log.error("%s", error)
                    self._ready = False
                    self._keeper.lost()

    async def _meet_when_ready(self) -> None:
        while True:
            with suppress(Unreachable, Refused):
                await self._upstream.call("GET", "/health", limit=5.0)
                break
            await asyncio.sleep(0.05 if self._child is not None else 0.5)
        try:
            await self.identify()
            await self._keeper.meet()
        except Exception:
            log.exception("the slots are not kept, and every request is computed")
        self._ready = self._met = True

    async def identify(self) -> None:
        """Learns from the server which model and adapters it has."""
        try:
            properties = await self._upstream.call("GET", "/props")
            models = await self._upstream.call("GET", "/v1/models")
            label = await asyncio.to_thread(model_label, properties, models)
            try:
                adapters = await self._upstream.call("GET", "/lora-adapters")
            except Refused:
                adapters = []
            settings = await asyncio.to_thread(value_settings, self.options.arguments)
            settings |= await asyncio.to_thread(context_settings, properties)
            self._shelf.identify(Identity(label, adapter_label(adapters), settings, self.options.salt))
        except (Unreachable, Refused, OSError, AttributeError) as error:
            self._keeper.fail("slotAPI", f"the model is not known: {error}")

    def _reason(self) -> Optional[tuple[int, str]]:
        """Why llama-server cannot be asked now; None where it can."""
        if self._ready or self._child is None:
            return None
        return (502, "llama-server ended and is being started again") if self._met else (503, "Loading model")

    # ---- What is told

    async def report(self) -> dict[str, Any]:
        """What /kvpager answers."""
        report = {
            "version": kvpager.__version__, "ready": self._ready, "keepsSlots": self._keeper.enabled,
            **self.counters.as_json(), "saving": self._keeper.saving, "slots": self._keeper.slots_as_json(),
        }  # fmt: skip
        try:
            report["store"] = {"path": self._shelf.path, **await self._keeper.store_statistics()}
        except ShelfError as error:
            report["store"] = {"path": self._shelf.path, "error": {"code": error.code, "message": str(error)}}
        return report
