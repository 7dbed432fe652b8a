"""Buffers: which are taken as they are, which are refused and how that is told."""

from __future__ import annotations

import ctypes
import mmap
import unittest
from array import array

from support import PLANES, ROW_BYTES, StoreCase, kvpager, part, sample_rows

from kvpager._memory import TokenList, address_of
from kvpager._rows import PlaneRows
from kvpager._sizes import byte_count

try:
    import numpy
except ModuleNotFoundError:
    numpy = None


class SizeTests(unittest.TestCase):
    def test_sizes_are_read_with_binary_and_decimal_units(self) -> None:
        for text, size in {
            "0": 0, "4096": 4096, "64MiB": 64 << 20, "1GiB": 1 << 30, "2TiB": 2 << 40, "3KiB": 3072,
            "1.5GiB": 3 << 29, "0.5KiB": 512, "20GB": 20_000_000_000, "1kb": 1000, "12B": 12, 4096: 4096,
        }.items():  # fmt: skip
            self.assertEqual(byte_count(text, "size"), size)

    def test_what_is_no_size_is_not_guessed_at(self) -> None:
        texts = ("", "MiB", "64M", "-1", "1.GiB", ".5GiB", "1.5", "1e3", "64 MiB", "9999999999TiB", "0x10", "٣MiB")
        for text in (*texts, -1, 1 << 63):
            with self.subTest(text), self.assertRaises(kvpager.InvalidArgument):
                byte_count(text, "size")


class TokenTests(unittest.TestCase):
    def test_buffers_of_32_bit_integers_are_not_copied(self) -> None:
        tokens = array("i", [1, 2, 3])
        self.assertEqual(TokenList(tokens).address, tokens.buffer_info()[0])
        self.assertEqual(TokenList(memoryview(tokens)[1:]).first(9), [2, 3])

    def test_any_sequence_of_integers_is_taken(self) -> None:
        for tokens in ([1, 2, 3], (1, 2, 3), range(1, 4), array("q", [1, 2, 3]), (ctypes.c_int32 * 3)(1, 2, 3)):
            self.assertEqual(TokenList(tokens).first(3), [1, 2, 3])
        self.assertEqual(TokenList([]).count, 0)

    def test_what_is_no_token_list_is_refused(self) -> None:
        for tokens in ("abc", b"abc", 7, None, [1.5], ["a"], array("d", [1.0])):
            with self.subTest(tokens), self.assertRaises(TypeError):
                TokenList(tokens)
        for tokens in ([1 << 31], [-(1 << 31) - 1], array("q", [1 << 40])):
            with self.subTest(tokens), self.assertRaises(kvpager.InvalidArgument):
                TokenList(tokens)


class FreshBufferTests(unittest.TestCase):
    def test_fresh_buffers_are_of_their_size_and_zero_and_writable(self) -> None:
        for size in (0, 1, 4096, 1 << 20, (1 << 20) + 1, 2 << 20, (5 << 20) + 3):
            buffer = kvpager.allocate(size)
            self.assertEqual((len(buffer), buffer.format, buffer.readonly), (size, "B", False))
            self.assertEqual(bytes(buffer), bytes(size))
            if size:
                buffer[-1] = 7
        with self.assertRaises(kvpager.InvalidArgument):
            kvpager.allocate(-1)

    def test_a_large_one_begins_at_a_huge_pages_boundary(self) -> None:
        if hasattr(mmap, "MADV_HUGEPAGE"):
            self.assertEqual(address_of(kvpager.allocate(5 << 20)) % (2 << 20), 0)


class BufferTests(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.tokens, self.rows = sample_rows()
        self.session = self.space(self.open()).create("monday")

    def refused(self, buffers: list[object], read: bool = False, count: int = 64) -> str:
        with self.assertRaises((kvpager.InvalidArgument, TypeError)) as caught:
            if read:
                self.session.read(buffers, 0, count)
            else:
                self.session.append(self.tokens[:count], buffers)
        return str(caught.exception)

    def test_every_kind_of_buffer_is_taken_where_it_lies(self) -> None:
        kinds = [bytes, bytearray, memoryview, lambda rows: array("B", rows), lambda rows: array("h", bytes(rows))]
        kinds.append(lambda rows: (ctypes.c_char * len(rows)).from_buffer_copy(rows))
        rows = part(self.rows, 0, 64)
        self.session.append(self.tokens[:64], [kinds[index % len(kinds)](plane) for index, plane in enumerate(rows)])
        mapped = mmap.mmap(-1, 64 * ROW_BYTES)
        mixed: list[object] = [bytearray(64 * ROW_BYTES) for _ in PLANES]
        mixed[3] = mapped
        mixed[4] = (ctypes.c_uint16 * (32 * ROW_BYTES))()
        self.session.read(mixed)
        self.assertEqual([bytes(buffer) for buffer in mixed], rows)

    def test_buffers_of_another_size_or_number_are_refused(self) -> None:
        rows: list[object] = list(part(self.rows, 0, 64))
        self.assertIn("59 buffers", self.refused(rows[:-1]))
        self.assertIn("61 buffers", self.refused([*rows, rows[0]]))
        short = [*rows[:5], bytes(64 * ROW_BYTES - 1), *rows[6:]]
        self.assertIn("plane 5 (values of layer 2, f16)", self.refused(short))
        self.assertIn("plane 0", self.refused([None, *rows[1:]]))
        self.assertEqual(self.session.token_count, 0)

    def test_items_of_another_type_are_refused(self) -> None:
        rows: list[object] = list(part(self.rows, 0, 64))
        for wrong in (array("f", bytes(64 * ROW_BYTES)), array("q", bytes(64 * ROW_BYTES))):
            self.assertIn("items of", self.refused([wrong, *rows[1:]]))
        for wrong in ("text", 7, [1, 2], object()):
            self.assertIn("is a buffer", self.refused([wrong, *rows[1:]]))

    def test_a_read_only_buffer_is_refused_for_reads(self) -> None:
        self.session.append(self.tokens[:64], part(self.rows, 0, 64))
        buffers: list[object] = [None] * len(PLANES)
        buffers[9] = bytes(64 * ROW_BYTES)
        self.assertIn("read-only", self.refused(buffers, read=True))
        with self.assertRaises(kvpager.InvalidArgument):
            self.session.export(into=bytes(10 << 20))

    def test_tokens_that_are_not_there_cannot_be_read(self) -> None:
        self.session.append(self.tokens[:64], part(self.rows, 0, 64))
        for first, count in ((0, 65), (64, 1), (-1, 1), (0, -1), (1 << 62, 1), (1, 1 << 62)):
            buffers: list[object] = [None] * len(PLANES)
            with self.subTest((first, count)), self.assertRaises(kvpager.InvalidArgument):
                self.session.read(buffers, first, count)

    def test_counts_are_integers_that_fit(self) -> None:
        self.session.append(self.tokens[:64], part(self.rows, 0, 64))
        self.session.commit()
        calls = {
            "truncate": self.session.truncate,
            "fork": lambda count: self.session.fork("tuesday", count),
            "export": self.session.export,
            "export_file": lambda count: self.session.export_file(self.folder / "out", count),
            "space_by_id": self.session.store.space_by_id,
        }
        for name, call in calls.items():
            for count in (-1, (1 << 64) + 5, 1 << 63):
                with self.subTest(name, count=count), self.assertRaises(kvpager.InvalidArgument):
                    call(count)
            with self.subTest(name), self.assertRaises(TypeError):
                call("5")
        for call in (self.session.truncate, calls["fork"], self.session.export):
            with self.assertRaises(kvpager.InvalidArgument):
                call(65)
        self.assertEqual(self.session.token_count, 64)

    def test_nothing_appended_is_nothing(self) -> None:
        self.session.append([], [b""] * len(PLANES))
        self.assertEqual(self.session.tokens, [])

    def test_names_are_text(self) -> None:
        with self.assertRaises(TypeError):
            self.session.space.create(b"name")  # type: ignore[arg-type]
        for name in ("a\0b", "\ud800", ""):
            with self.subTest(name), self.assertRaises(kvpager.InvalidArgument):
                self.session.space.create(name)

    def test_unknown_export_options_are_named(self) -> None:
        with self.assertRaisesRegex(TypeError, "colour"):
            self.session.export(colour="red")  # type: ignore[call-arg]
        with self.assertRaises(kvpager.InvalidArgument):
            self.session.export(format="pdf")  # type: ignore[arg-type]


@unittest.skipIf(numpy is None, "numpy is not installed")
class ArrayTests(StoreCase):
    """numpy arrays: SmolLM2 has 3 heads of 64 values."""

    def setUp(self) -> None:
        super().setUp()
        self.tokens, rows = sample_rows()
        self.rows = [numpy.frombuffer(plane, numpy.float16).reshape(512, 3, 64) for plane in rows]
        self.session = self.space(self.open()).create("monday")

    def read_back(self, count: int) -> list[numpy.ndarray]:
        buffers = [numpy.zeros((count, 3, 64), numpy.float16) for _ in PLANES]
        self.session.read(buffers)
        return buffers

    def assert_same(self, left: list[numpy.ndarray], right: list[numpy.ndarray]) -> None:
        for index, (one, other) in enumerate(zip(left, right, strict=True)):
            self.assertEqual(one.tobytes(), other.tobytes(), f"plane {index}")

    def test_rows_by_token_and_head_go_in_and_out(self) -> None:
        self.session.append(numpy.array(self.tokens, numpy.int32), self.rows)
        self.assert_same(self.read_back(512), self.rows)

    def test_tensors_by_head_go_in_and_out_without_a_copy(self) -> None:
        tensors = [numpy.ascontiguousarray(rows.transpose(1, 0, 2)) for rows in self.rows]
        views = [tensor.transpose(1, 0, 2) for tensor in tensors]
        rows = PlaneRows(self.session.space.planes, views, 512, writable=False)
        first = (ctypes.c_int64 * 4).from_address(rows.rows)
        self.assertEqual(list(first), [tensors[0].ctypes.data, 128, 128, 512 * 128])
        self.session.append(self.tokens, views)
        self.assert_same(self.read_back(512), self.rows)
        into = [numpy.zeros((3, 512, 64), numpy.float16) for _ in PLANES]
        self.session.read([tensor.transpose(1, 0, 2) for tensor in into])
        self.assert_same(into, tensors)

    def test_a_cache_with_room_for_more_tokens_is_used_as_it_is(self) -> None:
        cache = numpy.zeros((len(PLANES), 3, 2048, 64), numpy.float16)
        for index, rows in enumerate(self.rows):
            cache[index, :, 100:612] = rows.transpose(1, 0, 2)
        self.session.append(self.tokens, cache[:, :, 100:612].transpose(0, 2, 1, 3))
        self.assert_same(self.read_back(512), self.rows)
        target = numpy.full_like(cache, 7)
        self.session.read(target[:, :, 10:30].transpose(0, 2, 1, 3), first=50, count=20)
        self.assert_same(list(target[:, :, 10:30].transpose(0, 2, 1, 3)), [rows[50:70] for rows in self.rows])
        self.assertTrue((target[:, :, :10] == 7).all() and (target[:, :, 30:] == 7).all())

    def test_rows_with_gaps_between_tokens_are_used_as_they_are(self) -> None:
        wide = numpy.zeros((1024, 5, 64), numpy.float16)
        views = []
        for rows in self.rows:
            own = wide.copy()
            own[::2, 1:4] = rows
            views.append(own[::2, 1:4])
        self.session.append(self.tokens, views)
        self.assert_same(self.read_back(512), self.rows)

    def test_one_token_of_a_larger_tensor_is_appended(self) -> None:
        tensors = [numpy.ascontiguousarray(rows.transpose(1, 0, 2)) for rows in self.rows]
        for index in range(3):
            self.session.append(
                [self.tokens[index]], [tensor[:, index : index + 1].transpose(1, 0, 2) for tensor in tensors]
            )
        self.assert_same(self.read_back(3), [rows[:3] for rows in self.rows])

    def test_layouts_that_rows_cannot_have_are_refused(self) -> None:
        cases = {
            "first axis": numpy.zeros((3, 64, 64), numpy.float16),
            "equal parts": numpy.zeros((64, 6, 2, 64), numpy.float16)[:, ::2, :, :32],
            "cannot be expressed": numpy.broadcast_to(numpy.zeros((1, 3, 64), numpy.float16), (64, 3, 64)),
            "items of": numpy.zeros((64, 3, 64), numpy.float32),
            "rows have": numpy.zeros((64, 2, 64), numpy.float16),
            "apart": numpy.zeros((64, 3, 64), numpy.float16)[::-1],
        }
        for words, wrong in cases.items():
            with self.subTest(words), self.assertRaisesRegex(kvpager.InvalidArgument, words):
                self.session.append(self.tokens[:64], [wrong, *(rows[:64] for rows in self.rows[1:])])
        read_only = numpy.zeros((64, 3, 64), numpy.float16)
        read_only.flags.writeable = False
        self.session.append(self.tokens[:64], [rows[:64] for rows in self.rows])
        with self.assertRaisesRegex(kvpager.InvalidArgument, "read-only"):
            self.session.read([read_only, *[None] * (len(PLANES) - 1)])

    def test_values_of_one_element_each_lie_apart(self) -> None:
        channels = [numpy.ascontiguousarray(rows.reshape(512, 192).T) for rows in self.rows]
        self.session.append(self.tokens, [one.T for one in channels])
        self.assert_same(self.read_back(512), self.rows)

    def test_bf16_rows_are_16_bit_items_but_not_f16(self) -> None:
        space = self.session.store.space(model="m", planes=[kvpager.Plane("keys", 0, "bf16", 8)])
        space.insert([1, 2], [numpy.arange(8, dtype=numpy.uint16).reshape(2, 4)])
        with self.assertRaises(kvpager.InvalidArgument):
            space.insert([3, 4], [numpy.zeros((2, 4), numpy.float16)])
        into = numpy.zeros((2, 4), numpy.uint16)
        with space.find([1, 2]) as known:
            self.assertEqual(known.read([into]), 2)
        self.assertEqual(into.tolist(), [[0, 1, 2, 3], [4, 5, 6, 7]])

    def test_tokens_of_any_integer_type_are_taken(self) -> None:
        for dtype in (numpy.int32, numpy.int64, numpy.uint16, numpy.uint32):
            self.assertEqual(TokenList(numpy.array([1, 2, 3], dtype)).first(3), [1, 2, 3])
        self.assertEqual(TokenList(numpy.arange(10, dtype=numpy.int32)[::3]).first(4), [0, 3, 6, 9])
        with self.assertRaises(TypeError):
            TokenList(numpy.array([1.0]))
        with self.assertRaises(kvpager.InvalidArgument):
            TokenList(numpy.zeros((2, 2), numpy.int32))

    def test_an_export_goes_into_an_array(self) -> None:
        self.session.append(self.tokens, self.rows)
        size = self.session.export_size(format="safetensors", heads=3)
        into = numpy.zeros(size, numpy.uint8)
        written = self.session.export(into=into, format="safetensors", heads=3)
        self.assertEqual(written, into.tobytes())
        with kvpager.State(into) as state:
            self.assertEqual(state.tokens, self.tokens)


if __name__ == "__main__":
    unittest.main()
