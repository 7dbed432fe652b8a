#!/usr/bin/env python3
"""Makes a llama.cpp sequence file of any length from a real one, so that rows keep real statistics. Needs no packages.

    compose_state.py SAMPLE OUTPUT --keep N --tokens M [--seed S]

The first N cells are the sample's own. The M - N cells after them take the sample's rows and tokens in another order,
which the seed decides: a chat that shares a prefix of N tokens and then goes another way. Token-major samples (flash
attention on) of one stream only.
"""

import argparse
import random
import struct
from pathlib import Path


class Reader:
    def __init__(self, data: bytes):
        self.data, self.position = data, 0

    def take(self, count: int) -> bytes:
        if self.position + count > len(self.data):
            raise SystemExit(f"the sample ends early, at byte {len(self.data)}")
        self.position += count
        return self.data[self.position - count : self.position]

    def numbers(self, form: str):
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))


def compose(sample: bytes, order) -> bytes:
    """The file whose cell i is the sample's cell `order[i]`, at position i."""
    reader = Reader(sample)
    magic, version, token_count = reader.numbers("III")
    if magic != 0x67677371:
        raise SystemExit("the sample is no sequence file")
    tokens = reader.numbers(f"{token_count}i")
    stream_count, cell_count = reader.numbers("II")
    if stream_count != 1 or cell_count != token_count:
        raise SystemExit("the sample must have one stream, and one cell for each token")
    cells = []
    for _ in range(cell_count):
        _, sequence_count = reader.numbers("iI")
        cells.append(struct.pack("<I", sequence_count) + reader.take(4 * sequence_count))

    output = [struct.pack("<III", magic, version, len(order))]
    output.append(struct.pack(f"<{len(order)}i", *(tokens[i] for i in order)))
    output.append(struct.pack("<II", 1, len(order)))
    output += [struct.pack("<i", position) + cells[source] for position, source in enumerate(order)]

    transposed, layer_count = reader.numbers("II")
    if transposed:
        raise SystemExit("the sample's values are transposed")
    output.append(struct.pack("<II", transposed, layer_count))
    if version >= 4:
        output.append(reader.take(8))
    for _ in range(2 * layer_count):  # all keys, then all values
        output.append(reader.take(12))
        (row_byte_count,) = struct.unpack_from("<Q", output[-1], 4)
        rows = reader.take(row_byte_count * cell_count)
        output += [rows[i * row_byte_count : (i + 1) * row_byte_count] for i in order]
    if reader.position != len(sample):
        raise SystemExit("the sample holds more than one plain cache")
    return b"".join(output)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sample", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--keep", type=int, required=True, help="cells that stay as they are")
    parser.add_argument("--tokens", type=int, required=True, help="cells in all")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    data = arguments.sample.read_bytes()
    count = struct.unpack_from("<I", data, 8)[0]
    if not 0 <= arguments.keep <= min(count, arguments.tokens):
        parser.error(f"--keep must be 0 to {count}, and no more than --tokens")
    source = random.Random(arguments.seed)
    order = list(range(arguments.keep))
    # Stretches of real neighbours, as the codec sees them in real chats.
    while len(order) < arguments.tokens:
        start, length = source.randrange(count), source.randrange(16, 96)
        order += [i % count for i in range(start, start + length)]
    arguments.output.write_bytes(compose(data, order[: arguments.tokens]))


if __name__ == "__main__":
    main()
