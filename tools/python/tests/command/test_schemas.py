"""The command's JSON answers against their schemas in data/schemas. KVPAGER names the command."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import strict
from tool import KVPAGER, ROOT

SCHEMAS = ROOT / "data" / "schemas"
ANSWERS = ROOT / "data" / "golden" / "inspected-v1" / "answers"
SAMPLES = ROOT / "data" / "samples"
QUANTIZED = SAMPLES / "smollm2-135m_48tok_q8_0_fa.v4.ggsq"
HALF = SAMPLES / "smollm2-135m_48tok_f16_fa.v3.ggsq"


def schema_of(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    return schema


def answers_in(text: str) -> Iterator[dict[str, Any]]:
    """One document, or one a line."""
    try:
        yield json.loads(text)
    except json.JSONDecodeError:
        for line in text.splitlines():
            yield json.loads(line)


def answering(commands: list[dict[str, Any]], path: str = "") -> Iterator[str]:
    """The commands that know --json: "stats", "study-paging"."""
    for command in commands:
        name = path + command["commandName"]
        flags = [flag["name"] for argument in command.get("arguments", []) for flag in argument.get("names", [])]
        if "json" in flags:
            yield name
        yield from answering(command.get("subcommands", []), f"{name}-")


class Validation(unittest.TestCase):
    def check(self, text: str, where: str, name: str | None = None) -> int:
        """Holds an answer to the schema that it names."""
        count = 0
        for answer in answers_in(text):
            tag = answer.get("schema")
            self.assertIsInstance(tag, str, f"{where} names no schema")
            program, own, version = tag.split("/")
            self.assertEqual(program, "kvpager", where)
            if name is not None:
                self.assertEqual(own, name, where)
            schema = schema_of(own)
            self.assertEqual(schema["$id"], f"kvpager/{own}/{version}", f"{where}: the schema is of another version")
            validator = jsonschema.Draft202012Validator(strict.strict(schema))
            problems = [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(answer)]
            self.assertEqual(problems, [], where)
            count += 1
        self.assertGreater(count, 0, f"{where} is empty")
        return count


class SchemaTests(unittest.TestCase):
    def test_every_schema_is_valid_and_says_whose_it_is(self) -> None:
        files = sorted(SCHEMAS.glob("*.schema.json"))
        self.assertGreater(len(files), 5)
        for file in files:
            with self.subTest(file.name):
                schema = json.loads(file.read_text())
                name = file.name.removesuffix(".schema.json")
                self.assertEqual(schema["$schema"], "https://json-schema.org/draft/2020-12/schema")
                self.assertRegex(schema["$id"], rf"^kvpager/{name}/[1-9][0-9]*$")
                self.assertEqual(schema["properties"]["schema"], {"const": schema["$id"]})
                self.assertIn("schema", schema["required"])
                jsonschema.Draft202012Validator.check_schema(schema)
                jsonschema.Draft202012Validator.check_schema(strict.strict(schema))

    def test_every_member_has_its_meaning(self) -> None:
        for file in sorted(SCHEMAS.glob("*.schema.json")):
            with self.subTest(file.name):
                self.assertEqual(strict.undescribed(json.loads(file.read_text())), [])

    def test_a_member_that_no_schema_names_is_found(self) -> None:
        for name in ("fork", "diff", "compact"):
            schema = strict.strict(schema_of(name))
            validator = jsonschema.Draft202012Validator(schema)
            messages = [error.message for error in validator.iter_errors({"schema": f"kvpager/{name}/1", "more": 1})]
            self.assertTrue(any("'more' was unexpected" in message for message in messages), messages)

    def test_every_command_with_json_has_a_schema_and_every_schema_a_command(self) -> None:
        dump = subprocess.run([KVPAGER, "--experimental-dump-help"], check=True, capture_output=True).stdout
        commands = set(answering(json.loads(dump)["command"]["subcommands"]))
        described = {file.name.removesuffix(".schema.json") for file in SCHEMAS.glob("*.schema.json")}
        self.assertEqual(commands, described)


class GoldenTests(Validation):
    def test_every_golden_answer_keeps_to_its_schema(self) -> None:
        files = sorted(ANSWERS.glob("*.json"))
        self.assertGreater(len(files), 5)
        for file in files:
            with self.subTest(file.name):
                self.check(file.read_text(), file.name)


class LiveTests(Validation):
    """A store made of real states, and a damaged one: all that a command can answer there."""

    folder: Path
    seen: set[str] = set()

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="kvpager-schemas-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        for sample, session in ((QUANTIZED, "chat"), (HALF, "other")):
            cls.output(["import", sample, "--session", session, "--store", cls.folder / "kv", "--block-tokens", "16"])
        cls.output(["fork", "chat", "--as", "branch", "--tokens", "40", "--store", cls.folder / "kv"])

    @staticmethod
    def output(arguments: list[Any], status: int = 0) -> str:
        done = subprocess.run([KVPAGER, *map(str, arguments)], capture_output=True, text=True, timeout=600)
        if done.returncode != status:
            raise AssertionError(f"{arguments} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def ask(self, name: str, *arguments: Any, status: int = 0, store: str | None = "kv") -> None:
        more = [] if store is None else ["--store", self.folder / store]
        text = self.output([name, *arguments, *more, "--json"], status)
        self.check(text, f"{name} {arguments}", name)
        self.seen.add(name)

    def damaged(self, name: str, change: Any) -> str:
        """A copy of the store, changed behind everyone's back."""
        target = self.folder / name
        target.mkdir()
        file = bytearray((self.folder / "kv" / "data.mdb").read_bytes())
        change(file)
        (target / "data.mdb").write_bytes(file)
        return name

    def test_a_what_a_store_says_of_itself(self) -> None:
        self.ask("info")
        self.ask("sessions")
        self.ask("session", "chat")
        self.ask("stats")
        self.ask("stats", "--detail")
        self.ask("tree")
        self.ask("blocks")
        hashes = json.loads(self.output(["session", "branch", "--store", self.folder / "kv", "--json"]))["blocks"]
        first = hashes["list"][0]["hash"] if isinstance(hashes, dict) and "list" in hashes else self.first_hash()
        self.ask("block", first)
        self.ask("verify")
        self.ask("verify", "--deep")
        self.ask("report", "--html", self.folder / "report.html")

    def first_hash(self) -> str:
        blocks = json.loads(self.output(["blocks", "--store", self.folder / "kv", "--json"]))["blocks"]
        return str(blocks[0]["hash"])

    def test_b_what_differs(self) -> None:
        self.ask("diff", "chat", "branch", status=1)
        self.ask("diff", "chat", "other", status=1)
        self.ask("diff", "chat", "chat")
        self.ask("diff", self.folder / "kv", self.folder / "kv", "--deep", store=None)

    def test_c_what_is_damaged(self) -> None:
        def flip(file: bytearray) -> None:
            for page in range(2 * 4096, len(file) - 4096, 4096):
                if file[page + 16 : page + 20] == b"KVEX":
                    file[page + 2000] ^= 1

        def cut(file: bytearray) -> None:
            del file[len(file) // 2 :]

        rows = self.damaged("rows", flip)
        self.ask("verify", "--deep", status=1, store=rows)
        self.ask("info", store=rows)
        self.ask("diff", self.folder / "kv", self.folder / rows, "--deep", status=1, store=None)
        half = self.damaged("half", cut)
        self.ask("verify", status=1, store=half)
        self.ask("info", status=1, store=half)
        done = subprocess.run(
            [KVPAGER, "salvage", self.folder / half, self.folder / "saved", "--json"], capture_output=True, text=True)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        self.check(done.stdout, "salvage", "salvage")
        self.seen.add("salvage")

    def test_d_what_was_done(self) -> None:
        self.ask("import", QUANTIZED, "--session", "again")
        self.ask("export", self.folder / "out", "--session", "chat")
        self.ask("fork", "chat", "--as", "twig")
        self.ask("delete", "twig")
        self.ask("gc", "--quota", "1KiB")
        self.ask("compact", "--into", self.folder / "smaller")
        self.ask("compact", "--drop-cache")

    def test_e_watching_a_store(self) -> None:
        if (SCHEMAS / "watch.schema.json").exists():
            self.ask("watch", "--count", "1")

    def test_f_studies(self) -> None:
        traces = ROOT / "data" / "traces"
        for arguments in (
            ["--no-measure", "--requests", 200, "--patience", 0],
            ["--requests", 50, "--layers", 2, "--kv-heads", 2, "--query-heads", 4],
            ["--requests", 50, "--store", self.folder / "kv"],
            ["--no-measure", "--trace", traces / "mooncake_conversation.jsonl.zst", "--token-time", 1000],
        ):
            text = self.output(["study", "paging", *arguments, "--json"])
            self.check(text, f"study paging {arguments}", "study-paging")
        self.seen.add("study-paging")

    def test_z_no_schema_was_left_out(self) -> None:
        self.assertEqual(self.seen, {file.name.removesuffix(".schema.json") for file in SCHEMAS.glob("*.schema.json")})


if __name__ == "__main__":
    unittest.main()
