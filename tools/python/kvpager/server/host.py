"""The process in which llama-server runs: it ends with the one that started it, however that ended.

    python host.py --exec BINARY ARGUMENT...    becomes a llama-server binary
    python host.py --xllamacpp ARGUMENT...      runs the server in the xllamacpp wheel, with llama-server's option names

It imports nothing of this package, so that it can be run as a file, in an environment that has only the wheel.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Lets the kernel kill this process when the one that started it ends; elsewhere than on Linux, a thread does."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before
            os._exit(1)
    else:
        threading.Thread(target=_watch, args=(parent, lambda: os._exit(1)), daemon=True).start()


def _watch(parent: int, end: Callable[[], None]) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    end()


def _run_binary(arguments: list[str], parent: int) -> int:
    if sys.platform == "linux":
        os.execv(arguments[0], arguments)
    import subprocess

    child = subprocess.Popen(arguments)
    threading.Thread(target=_watch, args=(parent, lambda: (child.kill(), os._exit(1))), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    return child.wait()


def _run_wheel(arguments: list[str]) -> int:
    import xllamacpp  # type: ignore[import-not-found]

    parameters = xllamacpp.CommonParams()
    if key := os.environ.get("LLAMA_API_KEY"):
        parameters.api_keys = [key]
    _set_options(xllamacpp, parameters, arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    server = xllamacpp.Server(parameters)
    print(f"llama-server (xllamacpp {xllamacpp.__version__}) listens on {server.listening_address}", file=sys.stderr)
    ended.wait()
    sys.stderr.flush()
    os._exit(0)


def _set_options(xllamacpp: Any, parameters: Any, arguments: list[str]) -> None:
    """Sets parameters by llama-server's option names; those of which the wheel's interface is known."""
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        if name in _FLAGS:
            target, setting = _FLAGS[name]
            setattr(parameters, target, setting)
            continue
        if name not in _VALUES:
            sys.exit(
                f"kvpager-llama-server: {name} is not among the options that the server in the xllamacpp wheel takes "
                "here: install a llama-server binary for it"
            )
        if not equals:
            if not rest:
                sys.exit(f"kvpager-llama-server: {name} needs a value")
            value = rest.pop(0)
        target, kind = _VALUES[name]
        try:
            converted = kind(xllamacpp, value)
        except (ValueError, AttributeError):
            sys.exit(f"kvpager-llama-server: {name} cannot be {value!r}")
        owner = parameters
        *path, last = target.split(".")
        for part in path:
            owner = getattr(owner, part)
        setattr(owner, last, converted)


def _whole(_: Any, text: str) -> int:
    return int(text)


def _real(_: Any, text: str) -> float:
    return float(text)


def _plain(_: Any, text: str) -> str:
    return text


def _type(xllamacpp: Any, text: str) -> Any:
    return getattr(xllamacpp.ggml_type, f"GGML_TYPE_{text.upper()}")


def _attention(xllamacpp: Any, text: str) -> Any:
    known = {"on": "ENABLED", "1": "ENABLED", "off": "DISABLED", "0": "DISABLED", "auto": "AUTO"}
    if text not in known:
        raise ValueError(text)
    return getattr(xllamacpp.llama_flash_attn_type, f"LLAMA_FLASH_ATTN_TYPE_{known[text]}")


_FLAGS: dict[str, tuple[str, Any]] = {
    "--swa-full": ("swa_full", True), "-kvu": ("kv_unified", True), "--kv-unified": ("kv_unified", True),
    "--no-kv-unified": ("kv_unified", False), "--no-warmup": ("warmup", False), "--metrics": ("endpoint_metrics", True),
    "--props": ("endpoint_props", True), "--slots": ("endpoint_slots", True), "--no-slots": ("endpoint_slots", False),
    "--jinja": ("use_jinja", True), "--no-jinja": ("use_jinja", False), "--no-webui": ("ui", False),
    "--no-ui": ("ui", False),
}  # fmt: skip

_VALUES: dict[str, tuple[str, Callable[[Any, str], Any]]] = {
    "--model": ("model.path", _plain), "--alias": ("model_alias", lambda _, text: {text}),
    "-a": ("model_alias", lambda _, text: {text}), "--ctx-size": ("n_ctx", _whole),
    "--parallel": ("n_parallel", _whole),
    "--host": ("hostnames", lambda _, text: [text]), "--port": ("port", _whole),
    "--slot-save-path": ("slot_save_path", _plain), "--cache-ram": ("cache_ram_mib", _whole),
    "--threads": ("cpuparams.n_threads", _whole), "-t": ("cpuparams.n_threads", _whole),
    "--threads-batch": ("cpuparams_batch.n_threads", _whole), "-tb": ("cpuparams_batch.n_threads", _whole),
    "--threads-http": ("n_threads_http", _whole), "--batch-size": ("n_batch", _whole), "-b": ("n_batch", _whole),
    "--ubatch-size": ("n_ubatch", _whole), "-ub": ("n_ubatch", _whole), "--predict": ("n_predict", _whole),
    "-n": ("n_predict", _whole), "--flash-attn": ("flash_attn_type", _attention),
    "-fa": ("flash_attn_type", _attention),
    "--cache-type-k": ("cache_type_k", _type), "-ctk": ("cache_type_k", _type),
    "--cache-type-v": ("cache_type_v", _type), "-ctv": ("cache_type_v", _type),
    "--gpu-layers": ("n_gpu_layers", _whole), "-ngl": ("n_gpu_layers", _whole),
    "--ctx-checkpoints": ("n_ctx_checkpoints", _whole), "--chat-template": ("chat_template", _plain),
    "--verbosity": ("verbosity", _whole), "-lv": ("verbosity", _whole), "--rope-freq-base": ("rope_freq_base", _real),
    "--rope-freq-scale": ("rope_freq_scale", _real), "--api-prefix": ("api_prefix", _plain),
    "--sleep-idle-seconds": ("sleep_idle_seconds", _whole), "--timeout": ("timeout_read", _whole),
    "--slot-prompt-similarity": ("slot_prompt_similarity", _real), "-sps": ("slot_prompt_similarity", _real),
}  # fmt: skip


def main(arguments: list[str]) -> int:
    """Runs a llama-server until it ends."""
    if len(arguments) < 2 or arguments[0] not in ("--exec", "--xllamacpp"):
        print(__doc__, file=sys.stderr)
        return 2
    parent = int(os.environ.get("KVPAGER_PARENT") or os.getppid())
    end_with_parent(parent)
    if arguments[0] == "--exec":
        return _run_binary(arguments[1:], parent)
    return _run_wheel(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
