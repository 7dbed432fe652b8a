"""What makes two caches the same: the model's file, adapters, settings of the server that change values."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..llama.identity import model_digest

#: Options of llama-server that change the values in a cache; what stands in a state (types, order) need not be here.
_VALUE_OPTIONS = {
    "--rope-scaling", "--rope-scale", "--rope-freq-base", "--rope-freq-scale", "--yarn-orig-ctx", "--yarn-ext-factor",
    "--yarn-attn-factor", "--yarn-beta-slow", "--yarn-beta-fast", "--grp-attn-n", "-gan", "--grp-attn-w", "-gaw",
    "--override-kv", "--lora", "--lora-scaled", "--control-vector", "--control-vector-scaled", "--attention",
    "--control-vector-layer-range",
}  # fmt: skip


#: The same, where llama-server takes them from the environment.
_VALUE_VARIABLES = re.compile(r"LLAMA_ARG_\w*(ROPE|YARN|GRP_ATTN|LORA|CONTROL_VECTOR|OVERRIDE_KV|ATTENTION)")

#: In a model's metadata, which begins its file: its keys depend on whether the context is longer than this.
_LONG_ROPE, _METADATA_BYTES = b"rope.scaling.original_context_length", 16 << 20


def model_label(properties: dict[str, Any], models: dict[str, Any]) -> str:
    """The model's label: the digest of its file where that lies here, else what the server tells of it."""
    path = properties.get("model_path")
    if isinstance(path, str) and os.path.isfile(path):
        return model_digest(path)
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


def context_settings(properties: dict[str, Any]) -> dict[str, str]:
    """The context's length, where the model's keys depend on it."""
    path = properties.get("model_path")
    if not isinstance(path, str) or not os.path.isfile(path):
        return {}
    with open(path, "rb") as file:
        if _LONG_ROPE not in file.read(_METADATA_BYTES):
            return {}
    generation = properties.get("default_generation_settings")
    return {"n_ctx": str(generation.get("n_ctx") if isinstance(generation, dict) else None)}


def value_settings(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Those of llama-server's arguments and variables that change values; a file is named by its digest, too."""
    found = {name: value for name, value in environment.items() if _VALUE_VARIABLES.match(name)}
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name not in _VALUE_OPTIONS:
            continue
        values = [value] if equals else []
        for following in [] if equals else arguments[place + 1 : place + 3]:
            if following.startswith("-") and not re.match(r"-[0-9.]", following):
                break
            values.append(following)
        digests = [model_digest(one) for one in values if os.path.isfile(one)]
        found[f"llama-server {name}"] = " ".join([found.get(f"llama-server {name}", ""), *values, *digests]).strip()
    return found
