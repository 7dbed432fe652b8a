"""Makes the Python environment that a script needs, once, outside the repository, and prints its interpreter.

    environment.py REQUIREMENTS...

The environment lies in $KVPAGER_CACHE, else in kvpager/ of the user's cache folder, under a checksum of the
requirements, the Python and the processor (engines are built for the processor at hand). Several runs at a time make it
once; one that was killed in the middle is begun again. Exit 77: it cannot be had here, and standard error says why.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CANNOT_BE_HAD = 77
SOURCE_PACKAGES = ("llama-cpp-python",)  # all others come as wheels, or not at all


class CannotBeHad(Exception):
    """Why there is no environment, for people."""


def cache_folder() -> Path:
    named = os.environ.get("KVPAGER_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kvpager"


def processor() -> str:
    """What code that was built for this machine may rest on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine() + platform.processor()
    return platform.machine() + next((line for line in lines if line.startswith(("flags", "Features"))), "")


def key(requirements: list[Path]) -> str:
    digest = hashlib.sha256()
    for text in (*(file.read_text() for file in requirements), sys.version, processor()):
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:16]


def say(text: str) -> None:
    print(f"python: {text}", file=sys.stderr, flush=True)


def step(title: str, command: list[str], lock: int) -> None:
    """Runs a command; it keeps the lock, so that nobody begins anew while it goes on after we were killed."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=(lock,))
    if done.returncode != 0:
        tail = done.stdout.decode(errors="replace").strip().splitlines()[-12:]
        raise CannotBeHad("\n".join([title, *tail]))


def install(folder: Path, requirements: list[Path], lock: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    step(
        "no virtual environment can be made (Debian: apt-get install python3-venv)",
        [sys.executable, "-m", "venv", str(folder)], lock)  # fmt: skip
    names = "".join(file.read_text() for file in requirements)
    minutes = " (builds llama.cpp: some minutes, once)" if any(name in names for name in SOURCE_PACKAGES) else ""
    say(f"installing the packages of {', '.join(file.name for file in requirements)} into {folder}{minutes}")
    options = ["--no-deps", "--only-binary", ":all:"]
    for name in SOURCE_PACKAGES:
        options += ["--no-binary", name]
    for file in requirements:
        options += ["-r", str(file)]
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", *options]
    step("the packages cannot be had (no network, or no C++ compiler?)", pip, lock)
    for libraries in folder.glob("lib/python3*/site-packages/llama_cpp_py_sync"):
        step("the engine does not load here", [python, str(HERE / "old_libc.py"), str(libraries)], lock)


def environment(requirements: list[Path]) -> Path:
    """The environment's folder, made where there is none. Raises CannotBeHad."""
    cache = cache_folder()
    folder = cache / f"python-{key(requirements)}"
    marker = folder / "installed"
    if marker.exists():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = os.open(cache / f"{folder.name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise CannotBeHad(f"the cache folder cannot be used (KVPAGER_CACHE names another one): {error}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not marker.exists():  # another run may have made it while this one waited
            install(folder, requirements, lock)
            marker.touch()
    finally:
        os.close(lock)
    return folder


def main() -> int:
    try:
        print(environment([Path(name).resolve() for name in sys.argv[1:]]) / "bin" / "python")
        return 0
    except CannotBeHad as reason:
        say(str(reason))
        return CANNOT_BE_HAD


if __name__ == "__main__":
    sys.exit(main())
