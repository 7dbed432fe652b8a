"""JSON Schemas, made so strict that an answer's every member must be described."""

from __future__ import annotations

import copy
from typing import Any

MAPS = ("properties", "patternProperties", "$defs", "dependentSchemas")
LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
SINGLE = ("items", "additionalProperties", "unevaluatedProperties", "contains", "not", "if", "then", "else")
#: Schemas of the same object as their parent's: what they describe is described.
IN_PLACE = ("allOf", "anyOf", "oneOf", "if", "then", "else")


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """A copy in which no object may have a member that no part of its schema names."""
    result = copy.deepcopy(schema)
    _close(result, is_part=False)
    return result


def _describes_members(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return False
    if "properties" in schema or "patternProperties" in schema:
        return True
    parts = [schema[word] for word in ("then", "else") if word in schema]
    for word in ("allOf", "anyOf", "oneOf"):
        parts += schema.get(word, [])
    return any(_describes_members(part) for part in parts)


def _close(schema: Any, *, is_part: bool) -> None:
    if not isinstance(schema, dict):
        return
    if schema.get("additionalProperties") is True:
        del schema["additionalProperties"]
    if schema.get("unevaluatedProperties") is True:
        del schema["unevaluatedProperties"]
    closed = "additionalProperties" in schema or "unevaluatedProperties" in schema
    if not is_part and not closed and _describes_members(schema):
        schema["unevaluatedProperties"] = False
    for word in MAPS:
        for inner in schema.get(word, {}).values():
            _close(inner, is_part=False)
    for word in LISTS:
        for inner in schema.get(word, []):
            # An alternative that is an object of its own, beside others that are none, closes itself.
            _close(inner, is_part=word in IN_PLACE and _describes_members({k: schema[k] for k in MAPS if k in schema}))
    for word in SINGLE:
        if word in schema:
            _close(schema[word], is_part=word in IN_PLACE)


def undescribed(schema: Any, path: str = "") -> list[str]:
    """Members that have no description, neither in words nor by a constant or a schema of another place."""
    found: list[str] = []
    if not isinstance(schema, dict):
        return found
    for name, inner in schema.get("properties", {}).items():
        place = f"{path}/{name}"
        if isinstance(inner, dict):
            says = any(word in inner for word in ("description", "const", "enum", "$ref", "properties", "items"))
            if not says and not any("description" in part for part in inner.get("oneOf", []) + inner.get("anyOf", [])):
                found.append(place)
        found += undescribed(inner, place)
    for word in ("$defs", "patternProperties"):
        for name, inner in schema.get(word, {}).items():
            found += undescribed(inner, f"{path}/{word}/{name}")
    for word in LISTS:
        for number, inner in enumerate(schema.get(word, [])):
            found += undescribed(inner, f"{path}/{word}[{number}]")
    for word in SINGLE:
        found += undescribed(schema.get(word), f"{path}/{word}")
    return found
