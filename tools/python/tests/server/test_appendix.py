"""The context checkpoints at a slot file's end: found, cut to the newest, and refused where they are damaged."""

from __future__ import annotations

import struct
import unittest

import proxy  # noqa: F401  (finds the package)
from kvpager.server.appendix import find_appendix, is_whole


def checkpoint(tokens: int, state: bytes, draft: bytes = b"", guess: bytes = b"") -> bytes:
    blobs = b"".join(struct.pack("<Q", len(blob)) + blob for blob in (draft, guess))
    return struct.pack("<qiiQ", tokens, 0, tokens - 1, len(state)) + state + blobs


def appendix(*checkpoints: bytes) -> bytes:
    return struct.pack("<4sII", b"SCKP", 1, len(checkpoints)) + b"".join(checkpoints)


class Appendices(unittest.TestCase):
    FILE = b"a slot file's rows, with SCKP\x01\0\0\0\x01\0\0\0 in them" + bytes(3 << 20)

    def test_an_appendix_is_found_behind_rows_that_look_like_one(self) -> None:
        whole = self.FILE + appendix(checkpoint(5, b"old" * 100), checkpoint(9, b"new" * 50, b"draft"))
        found = find_appendix(memoryview(whole))
        assert found is not None
        self.assertEqual((found.offset, len(found.checkpoints)), (len(self.FILE), 2))
        newest = found.newest(memoryview(whole))
        self.assertEqual(newest, appendix(checkpoint(9, b"new" * 50, b"draft")))
        self.assertTrue(is_whole(newest))

    def test_one_that_crosses_the_pieces_in_which_it_is_searched_is_found(self) -> None:
        for rows in range((1 << 20) - 9, (1 << 20) + 2):
            found = find_appendix(memoryview(bytes(rows) + appendix(checkpoint(1, b"x"))))
            self.assertEqual(found and found.offset, rows)

    def test_what_is_cut_or_longer_or_lies_about_its_sizes_is_none(self) -> None:
        good = appendix(checkpoint(5, b"state"), checkpoint(6, b"other"))
        self.assertTrue(is_whole(good))
        for bad in [good[:size] for size in range(len(good))] + [good + b"\0", appendix()]:
            self.assertFalse(is_whole(bad))
            self.assertIsNone(find_appendix(memoryview(bad)))
        for place in (8, 28):
            lying = bytearray(good)
            lying[place : place + 4] = b"\xff" * 4
            self.assertFalse(is_whole(bytes(lying)))


if __name__ == "__main__":
    unittest.main()
