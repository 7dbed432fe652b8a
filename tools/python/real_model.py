"""A real model's cache through the store and back: llama.cpp must not be able to tell.

    real_model.py --kvpager PATH [--results FILE] [--only TEXT]

Each case computes a state with llama.cpp, carries it through `kvpager import` and `kvpager export` (processes of their
own), gives it to a new context, and compares what that one computes next with what the first, uninterrupted context
computes: the same tokens, and logits equal to the bit.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import engine

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "samples"
STEPS = 8  # greedy steps after the resumed tokens


def require(condition, message):
    if not condition:
        raise AssertionError(message)


class Store:
    """A store in a folder of its own, through the command line."""

    def __init__(self, command: Path, folder: Path):
        self.command, self.folder = command, folder
        self.path = folder / "store"

    def run(self, verb, *arguments):
        line = [str(self.command), verb, *map(str, arguments), "--store", str(self.path)]
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        require(done.returncode == 0, f"{' '.join(line)}: exit {done.returncode}\n{done.stderr.strip()}")
        return done.stdout

    def take_in(self, file, session, *options):
        self.run("import", file, "--session", session, "--model", "smollm2-135m", *options)

    def give_out(self, session, file, *options):
        self.run("export", file, "--session", session, *options)
        require(file.exists(), f"the export of {session} ended well and wrote no file")
        return file


class Bench:
    """What all cases share: the model, the tokens, one computed state of 512 tokens and how it goes on."""

    def __init__(self, command):
        self.command = command
        expected = json.loads((SAMPLES / "expected.json").read_text())
        self.tokens = expected["token_ids"]
        self.expected_continuation = expected["greedy_continuation"]
        self.model = engine.Model(engine.bundled_model_path())
        self.folder = Path(tempfile.mkdtemp(prefix="kvpager-model-"))

    def store(self, name):
        folder = self.folder / name
        folder.mkdir()
        return Store(self.command, folder)

    def context(self, **shape):
        return engine.Context(self.model, **shape)

    def round_trip(self, name, token_count, options=(), sequence=0, **shape):
        """Compute, import, export, compare bytes, resume in a new context, compare what comes next."""
        store = self.store(name)
        tokens, rest = self.tokens[:token_count], self.tokens[token_count : token_count + 32]
        original = store.folder / "original.ggsq"
        with self.context(**shape) as context:
            context.decode(tokens, 0, sequence)
            context.save_sequence(original, tokens, sequence)
            uninterrupted = context.go_on(rest, token_count, STEPS, sequence)
        store.take_in(original, "chat", *options)
        exported = store.give_out("chat", store.folder / "exported.ggsq")
        require(original.read_bytes() == exported.read_bytes(), "the exported bytes differ from the imported ones")
        with self.context(**shape) as context:
            require(context.load_sequence(exported, sequence) == tokens, "llama.cpp does not take the exported file")
            resumed = context.go_on(rest, token_count, STEPS, sequence)
        compare(uninterrupted, resumed)


def compare(uninterrupted, resumed):
    require(uninterrupted[0] == resumed[0], f"other tokens follow: {uninterrupted[0]} and {resumed[0]}")
    require(uninterrupted[1] == resumed[1], "the same tokens follow, but the logits differ")


# The cases, as sentences.


def the_engine_alone_resumes_its_own_file_to_the_bit(bench):
    """Without this, no other case means anything."""
    file = bench.folder / "alone.ggsq"
    tokens, rest = bench.tokens[:96], bench.tokens[96:128]
    with bench.context() as context:
        context.decode(tokens, 0)
        context.save_sequence(file, tokens)
        uninterrupted = context.go_on(rest, 96, STEPS)
    with bench.context() as context:
        require(context.load_sequence(file) == tokens, "llama.cpp does not take its own file")
        compare(uninterrupted, context.go_on(rest, 96, STEPS))


def a_resumed_chat_goes_on_as_if_never_interrupted(bench):
    """512 tokens of a help desk's system prompt, through a RAM budget smaller than the data, then the rest of the
    prompt and the answer that expected.json names."""
    store = bench.store("chat")
    head, rest = bench.tokens[:512], bench.tokens[512:]
    count = len(bench.expected_continuation)
    original = store.folder / "original.ggsq"
    with bench.context() as context:
        context.decode(head, 0)
        context.save_sequence(original, head)
        uninterrupted = context.go_on(rest, 512, count)
    store.take_in(original, "chat", "--block-tokens", 16, "--memory", "4MiB")
    exported = store.give_out("chat", store.folder / "exported.ggsq", "--memory", "4MiB")
    require(original.read_bytes() == exported.read_bytes(), "the exported bytes differ from the imported ones")
    with bench.context() as context:
        require(context.load_sequence(exported) == head, "llama.cpp does not take the exported file")
        resumed = context.go_on(rest, 512, count)
    compare(uninterrupted, resumed)
    require(resumed[0] == bench.expected_continuation, "the answer is not the one of expected.json")


def a_prefix_and_a_fork_are_what_llama_would_have_written(bench):
    """A prefix that ends inside a block, exported and forked: the bytes that llama.cpp writes after cutting there."""
    store = bench.store("prefix")
    tokens, cut = bench.tokens[:512], 327
    rest = bench.tokens[cut : cut + 64]
    original, reference = store.folder / "original.ggsq", store.folder / "reference.ggsq"
    with bench.context() as context:
        context.decode(tokens, 0)
        context.save_sequence(original, tokens)
        context.cut(cut)
        context.save_sequence(reference, tokens[:cut])
        uninterrupted = context.go_on(rest, cut, STEPS)
    store.take_in(original, "chat")
    prefix = store.give_out("chat", store.folder / "prefix.ggsq", "--tokens", cut)
    store.run("fork", "--session", "chat", "--as", "branch", "--tokens", cut)
    branch = store.give_out("branch", store.folder / "branch.ggsq")
    for file in (prefix, branch):
        require(file.read_bytes() == reference.read_bytes(), f"{file.name} differs from what llama.cpp writes")
    with bench.context() as context:
        require(context.load_sequence(branch) == tokens[:cut], "llama.cpp does not take the fork")
        compare(uninterrupted, context.go_on(rest, cut, STEPS))


def two_chats_share_the_blocks_of_their_common_prompt(bench):
    """The second chat's state is the first one's, cut and continued otherwise: what they share is stored once."""
    store = bench.store("shared")
    common, block = 256, 64
    files = {}
    with bench.context() as context:
        context.decode(bench.tokens[:512], 0)
        files["first"] = store.folder / "first.ggsq"
        context.save_sequence(files["first"], bench.tokens[:512])
        context.cut(common)
        other = bench.tokens[400:528]
        context.decode(other, common)
        files["second"] = store.folder / "second.ggsq"
        context.save_sequence(files["second"], bench.tokens[:common] + other)
    for name, file in files.items():
        store.take_in(file, name, "--block-tokens", block)
    for name, file in files.items():
        exported = store.give_out(name, store.folder / f"{name}.out")
        require(exported.read_bytes() == file.read_bytes(), f"{name}: the exported bytes differ")
    blocks = json.loads(store.run("stats", "--json"))["blocks"]
    full = (512 + common + 128) // block
    unique = full - common // block
    require(blocks["references"] == full, f"{blocks['references']} references, {full} expected")
    require(blocks["unique"] == unique, f"{blocks['unique']} unique blocks, {unique} expected")


def half_precision_with_flash_attention_off(bench):
    bench.round_trip("transposed", 96, flash_attention=False)


def bfloat16_keys_and_values(bench):
    bench.round_trip("bf16", 96, ("--block-tokens", 16), kv_type=engine.BF16)


def single_precision_keys_and_values(bench):
    bench.round_trip("f32", 96, ("--block-tokens", 32), kv_type=engine.F32)


def single_precision_with_flash_attention_off(bench):
    bench.round_trip("f32-transposed", 77, ("--block-tokens", 32), kv_type=engine.F32, flash_attention=False)


def quantised_keys_and_values(bench):
    bench.round_trip("q8_0", 96, ("--block-tokens", 16), kv_type=engine.Q8_0)


def the_second_of_two_streams(bench):
    bench.round_trip("streams", 50, ("--block-tokens", 16), sequence=1, sequence_count=2)


def a_memory_blob_is_the_one_that_llama_gives(bench):
    store = bench.store("blob")
    tokens, rest = bench.tokens[:96], bench.tokens[96:128]
    original = store.folder / "original.ggsq"
    with bench.context() as context:
        context.decode(tokens, 0)
        context.save_sequence(original, tokens)
        blob = context.blob()
        uninterrupted = context.go_on(rest, 96, STEPS)
    store.take_in(original, "chat")
    exported = store.give_out("chat", store.folder / "chat.blob", "--format", "llama-blob").read_bytes()
    require(exported == blob, "the exported blob differs from llama.cpp's own")
    with bench.context() as context:
        require(context.restore_blob(exported), "llama.cpp does not take the exported blob")
        compare(uninterrupted, context.go_on(rest, 96, STEPS))


def a_whole_session_file(bench):
    """`llama_state_save_file`: another container with an architecture's name, for all sequences."""
    store = bench.store("session")
    tokens, rest = bench.tokens[:96], bench.tokens[96:128]
    original = store.folder / "original.ggsn"
    with bench.context() as context:
        context.decode(tokens, 0)
        context.save_session(original, tokens)
        uninterrupted = context.go_on(rest, 96, STEPS)
    store.take_in(original, "chat")
    exported = store.give_out("chat", store.folder / "exported.ggsn")
    require(original.read_bytes() == exported.read_bytes(), "the exported bytes differ from the imported ones")
    with bench.context() as context:
        require(context.load_session(exported) == tokens, "llama.cpp does not take the exported file")
        compare(uninterrupted, context.go_on(rest, 96, STEPS))


CASES = [
    the_engine_alone_resumes_its_own_file_to_the_bit,
    a_resumed_chat_goes_on_as_if_never_interrupted,
    a_prefix_and_a_fork_are_what_llama_would_have_written,
    two_chats_share_the_blocks_of_their_common_prompt,
    half_precision_with_flash_attention_off,
    bfloat16_keys_and_values,
    single_precision_keys_and_values,
    single_precision_with_flash_attention_off,
    quantised_keys_and_values,
    the_second_of_two_streams,
    a_memory_blob_is_the_one_that_llama_gives,
    a_whole_session_file,
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kvpager", type=Path, required=True, help="the command to test")
    parser.add_argument("--results", type=Path, help="where to write the counts, as JSON")
    parser.add_argument("--only", default="", help="only cases whose name holds this")
    arguments = parser.parse_args()

    bench = Bench(arguments.kvpager.resolve())
    passed = failed = 0
    try:
        for case in CASES:
            if arguments.only not in case.__name__:
                continue
            title, started = case.__name__.replace("_", " "), time.monotonic()
            try:
                case(bench)
                passed += 1
                print(f"passed  {title} ({time.monotonic() - started:.1f} s)", flush=True)
            except AssertionError as error:
                failed += 1
                print(f"FAILED  {title}: {error}", flush=True)
            except Exception:  # a case that breaks is a case that failed
                failed += 1
                print(f"FAILED  {title}:\n{traceback.format_exc()}", flush=True)
    finally:
        subprocess.run(["rm", "-rf", str(bench.folder)], check=False)
    if arguments.results:
        arguments.results.write_text(json.dumps({"passed": passed, "failed": failed}))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
