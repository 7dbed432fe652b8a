"""Writes data/schemas/report.schema.json: what a report adds, and the answers of other commands that it holds, from
their schemas as they are.

    report_schema.py [--check]

--check: writes nothing; exit 1 where the file is not what would be written.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "data/schemas"
FILE = FOLDER / "report.schema.json"


def schema(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.schema.json").read_text())


def part(name: str) -> dict[str, Any]:
    """A command's answer as a part of another: without its name and version."""
    whole = schema(name)
    for word in ("$schema", "$id", "title"):
        whole.pop(word)
    whole["properties"].pop("schema")
    whole["required"].remove("schema")
    return whole


def count(description: str) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "description": description}


def text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def members(description: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object", "description": description, "required": sorted(properties), "properties": properties,
    }


def array(description: str, items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "description": description, "items": items}


def definitions() -> dict[str, Any]:
    tree = part("tree")
    parts = tree.pop("$defs")
    activity = dict(schema("stats")["properties"]["activity"])
    session = schema("sessions")["properties"]["sessions"]["items"]
    return {**parts, "tree": tree, "info": part("info"), "activity": activity, "session": session}


def contents() -> dict[str, Any]:
    file = members(
        "What the bytes of the file are, each counted once: they add up to `total`.",
        frames=count("Frames of blocks."), checkpoints=count("The sessions' checkpoints."),
        sessionBodies=count("Tokens, block tables and metadata of sessions, where they lie in extents."),
        padding=count("Headers of extents, and the rest of their last pages."),
        tree=count("Pages of the tables' trees, the records in them, and LMDB's own."),
        free=count("Pages that the next writes take before the file grows."),
        unreachable=count("Pages that nothing leads to."), total=count("The file."))
    rest = members(
        "The sessions that are not among `top`, summed up.", sessions=count("How many."), tokens=count("Their tokens."),
        blocks=count("Places in their block tables."),
        bytes=members(
            "Bytes of rows.", logical=count("All of them."), unique=count("Those that no other session holds.")))
    sessions = members(
        "The sessions that take most.", count=count("All of the store."),
        expiredBytes=count("Bytes of rows that expired sessions alone hold."),
        incomplete=count("Sessions that lack a block."),
        top=array("Those of the most bytes of their own first, `limits.sessions` at most.",
                  {"$ref": "#/$defs/session"}),
        rest=rest)
    member = members(
        "One of them.", space=count("Its cache space."), name=text("Its name."), tokens=count("Its tokens."))
    sharing = members(
        "What the largest sessions have in common: leading blocks that both hold.",
        sessions=array("Ordered so that relatives lie together, `limits.matrixSessions` at most.", member),
        commonTokens=array(
            "Rows in the order of `sessions`.",
            array(
                "Tokens in common with each of them; a session's own with itself.",
                {"type": "integer", "minimum": 0})))
    return members(
        "What only a store that opens tells.", file=file, sessions=sessions, sharing=sharing,
        tree={"$ref": "#/$defs/tree"})


def report() -> dict[str, Any]:
    finding = members(
        "Something to be said, the worst first.",
        level={"enum": ["bad", "caution", "good"], "description": "How bad it is."}, title=text("What it is."),
        text=text("What that means."), remedy=text("What helps; empty where nothing needs to."))
    limits = members(
        "What a report is limited to, so that it stays small.", depth=count("Levels of the prefix tree below a space."),
        treeWidth=count("Continuations of one run."), treeNodes=count("Runs of the prefix tree."),
        sessions=count("Sessions of the table."), matrixSessions=count("Sessions that are compared."))
    body = members(
        "A report: the facts that the page of `kvpager report --html` shows.",
        schema={"const": "kvpager/report/1"}, programVersion=text("Version of the kvpager that made it."),
        microseconds=count("When it was made, since 1970, UTC."), limits=limits,
        info={"$ref": "#/$defs/info"}, health=array("How the store is.", finding),
        activity={"$ref": "#/$defs/activity"},
        contents={
            "description": "Null where the store does not open.",
            "anyOf": [{"type": "null"}, {"$ref": "#/$defs/contents"}],
        })
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "kvpager/report/1",
        "title": "kvpager report --json", **body, "$defs": {"contents": contents(), **definitions()},
    }


def main() -> int:
    wanted = json.dumps(report(), indent=2, ensure_ascii=False) + "\n"
    if "--check" not in sys.argv[1:]:
        FILE.write_text(wanted)
    elif not FILE.exists() or FILE.read_text() != wanted:
        print(f"{FILE.name} is not what the schemas beside it make: run tools/python/report_schema.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
