"""What makes two caches the same: the model's file, adapters, settings of the server that change values."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

#: Bytes read at the beginning and the end of a model's file, and at the places between.
_ENDS, _SAMPLE, _SAMPLES = 1 << 20, 64 << 10, 64

#: Options of llama-server that change the values in a cache; what stands in a state (types, order) need not be here.
_VALUE_OPTIONS = {
    "--rope-scaling", "--rope-scale", "--rope-freq-base", "--rope-freq-scale", "--yarn-orig-ctx", "--yarn-ext-factor",
    "--yarn-attn-factor", "--yarn-beta-slow", "--yarn-beta-fast", "--grp-attn-n", "-gan", "--grp-attn-w", "-gaw",
    "--override-kv", "--lora", "--lora-scaled", "--control-vector", "--control-vector-scaled", "--attention",
    "--control-vector-layer-range",
}  # fmt: skip


def sampled_digest(path: Path) -> str:
    """A digest of a large file's size, both ends and 64 places between: other weights differ everywhere."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(_ENDS))
        for place in range(1, _SAMPLES):
            file.seek(size * place // _SAMPLES)
            digest.update(file.read(_SAMPLE))
        file.seek(max(0, size - _ENDS))
        digest.update(file.read(_ENDS))
    return digest.hexdigest()


def model_label(properties: dict[str, Any], models: dict[str, Any]) -> str:
    """The model's label: the digest of its file where that lies here, else what the server tells of it."""
    path = properties.get("model_path")
    if isinstance(path, str) and os.path.isfile(path):
        parts = [Path(path)]
        if (split := re.match(r"(.*)-00001-of-(\d{5})\.gguf\Z", path)) is not None:
            parts = [Path(f"{split[1]}-{part + 1:05}-of-{split[2]}.gguf") for part in range(int(split[2]))]
        return "gguf:" + "+".join(sampled_digest(part) for part in parts if part.is_file())
    data = models.get("data")
    meta = data[0].get("meta") if isinstance(data, list) and data and isinstance(data[0], dict) else None
    return "server:" + json.dumps([path, meta], sort_keys=True)


def adapter_label(adapters: Any) -> str:
    """The adapters that are in use, as a text; "" for none."""
    used = [
        [str(one.get("path", "")), one.get("scale")]
        for one in (adapters if isinstance(adapters, list) else [])
        if isinstance(one, dict) and one.get("scale")
    ]
    return json.dumps(used) if used else ""


def value_settings(arguments: Sequence[str]) -> dict[str, str]:
    """Those of llama-server's arguments that change values, by option; a file is named by its digest, too."""
    found: dict[str, str] = {}
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name not in _VALUE_OPTIONS:
            continue
        values = [value] if equals else []
        for following in [] if equals else arguments[place + 1 : place + 3]:
            if following.startswith("-") and not re.match(r"-[0-9.]", following):
                break
            values.append(following)
        digests = [sampled_digest(Path(one)) for one in values if os.path.isfile(one)]
        found[f"llama-server {name}"] = " ".join([found.get(f"llama-server {name}", ""), *values, *digests]).strip()
    return found
