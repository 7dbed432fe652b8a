#!/usr/bin/env python3
"""Writes data/vectors/sha256_cbor.json: block hashes computed without kvpager, by cbor2 and hashlib.

    tools/python/run ../cbor_vectors.py            writes the file
    tools/python/run ../cbor_vectors.py --check    exit 1 where the file holds anything else

A hash is SHA-256 of the canonical CBOR of [parent, [token ids], extra]; the first parent is SHA-256 of the
canonical CBOR of a seed text; extra is null, or an array of
["lora", name], ["mm", identifier, offset], ["cache_salt", salt].
"""

import hashlib
import json
import random
import sys
from pathlib import Path

import cbor2

TARGET = Path(__file__).resolve().parents[1] / "data" / "vectors" / "sha256_cbor.json"
# Where the width of a CBOR integer changes, on both sides of zero, to the ends of a 32-bit token.
BOUNDARIES = [0, 1, 22, 23, 24, 25, 254, 255, 256, 257, 65534, 65535, 65536, 65537, 2**31 - 2, 2**31 - 1]
NEGATIVES = [-1, -23, -24, -25, -255, -256, -257, -65535, -65536, -65537, -(2**31) + 1, -(2**31)]


def digest(value) -> bytes:
    return hashlib.sha256(cbor2.dumps(value, canonical=True)).digest()


def chain(seed, block_token_count, tokens, extras):
    """Hashes of the full blocks of `tokens`; `extras[i]` belongs to block i, absent means none."""
    parent, hashes = digest(seed), []
    for block in range(len(tokens) // block_token_count):
        part = tokens[block * block_token_count : (block + 1) * block_token_count]
        parent = digest([parent, part, extras.get(block)])
        hashes.append(parent.hex())
    return {
        "seed": seed,
        "blockTokenCount": block_token_count,
        "tokens": tokens,
        "extras": [{"block": block, "keys": keys} for block, keys in sorted(extras.items())],
        "hashes": hashes,
    }


def document():
    source = random.Random(20)
    edges = BOUNDARIES + NEGATIVES
    lora, salt = ["lora", "tool-library-v2"], ["cache_salt", "tenant \u00e9\u4e2d\U0001f511"]
    image, late_image = ["mm", "5f0d" * 16, 0], ["mm", "a" * 300, 70000]
    chains = [chain(seed, 1, edges, {}) for seed in ("vllm-none-hash", "0", "42", "")]
    shapes = (("vllm-none-hash", 16, 5), ("42", 64, 3), ("0", 256, 2), ("vllm-none-hash", 23, 2), ("0", 24, 2))
    for seed, size, blocks in shapes:
        tokens = [
            source.choice(edges) if source.random() < 0.3 else source.randrange(49152) for _ in range(size * blocks)
        ]
        chains.append(chain(seed, size, tokens, {}))
    tokens = [source.randrange(151936) for _ in range(16 * 4 + 5)]  # the rest of 5 has no hash
    for extras in (
        {block: [lora] for block in range(4)},
        {0: [salt]},
        {1: [image], 2: [late_image]},
        {0: [lora, image, salt], 1: [lora, image, late_image], 2: [lora], 3: [lora]},
    ):
        chains.append(chain("vllm-none-hash", 16, tokens, extras))
    integers = edges + [2**32 - 1, 2**32, 2**53]
    encodings = [{"value": value, "cbor": cbor2.dumps(value, canonical=True).hex()} for value in integers]
    texts = ["", "a", "x" * 23, "x" * 24, "x" * 255, "x" * 256, "x" * 65536, "\u00e9\u4e2d\U0001f511"]
    return {
        "roots": [{"seed": seed, "hash": digest(seed).hex()} for seed in ("vllm-none-hash", "0", "42", "")],
        "integers": encodings,
        "texts": [{"text": text, "sha256": digest(text).hex()} for text in texts],
        "chains": chains,
    }


def main() -> int:
    text = json.dumps(document(), ensure_ascii=True, separators=(",", ":")).replace('{"seed"', '\n{"seed"') + "\n"
    if "--check" in sys.argv:
        if TARGET.read_text() != text:
            print(f"{TARGET} is not what this script writes", file=sys.stderr)
            return 1
        return 0
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text)
    print(f"{TARGET}: {len(text)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
