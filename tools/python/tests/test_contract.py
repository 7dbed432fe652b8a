"""The package against the C header: same functions, types, statuses and version."""

from __future__ import annotations

import ctypes
import re
import unittest
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_uint64, c_void_p

from support import REPOSITORY, kvpager

from kvpager import _library, errors
from kvpager._rows import PlaneRows

HEADER = (REPOSITORY / "Sources/CKVPager/include/kvpager.h").read_text()
CODE = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.S)

#: C types to the ctypes that stand for them.
HANDLES = {f"kvpager_{kind}" for kind in ("store", "space", "session", "prefix", "state")}
TYPES = {
    "void": None, "int32_t": c_int32, "kvpager_status": c_int32, "kvpager_sharing": c_int32, "int64_t": c_int64,
    "const char *": c_char_p, "char *": c_void_p, "char **": POINTER(c_void_p), "void *": c_void_p,
    "const void *": c_void_p, "const int32_t *": c_void_p, "int32_t *": c_void_p, "int64_t *": POINTER(c_int64),
    "const kvpager_rows *": c_void_p,
    **{handle: c_uint64 for handle in HANDLES}, **{f"{handle} *": POINTER(c_uint64) for handle in HANDLES},
}  # fmt: skip


def header_functions() -> dict[str, tuple[object, tuple[object, ...]]]:
    found = {}
    for result, name, parameters in re.findall(r"^([a-z_0-9 ]+[ *]+)(kvpager_\w+)\(([^)]*)\);", CODE, flags=re.M):
        listed = [] if parameters.strip() == "void" else parameters.split(",")
        types = [re.fullmatch(r"\s*(.*?[ *])\w+\s*", parameter, flags=re.S)[1].strip() for parameter in listed]
        found[name] = (TYPES[result.strip()], tuple(TYPES[" ".join(type.split())] for type in types))
    return found


class ContractTests(unittest.TestCase):
    def test_every_function_of_the_header_is_declared_with_its_types(self) -> None:
        functions = header_functions()
        self.assertGreater(len(functions), 50)
        self.assertEqual(_library.PROTOTYPES, functions)

    def test_every_status_has_an_exception_class_of_its_name(self) -> None:
        statuses = {
            int(number): re.sub(r"_(\w)", lambda letter: letter[1].upper(), name.lower())
            for name, number in re.findall(r"\bKVPAGER_(\w+) = (\d+)", CODE.split("kvpager_sharing;")[0])
        }
        del statuses[0]
        self.assertEqual({status: kind.code for status, kind in errors.BY_STATUS.items()}, statuses)
        for kind in errors.BY_STATUS.values():
            self.assertEqual(kind.__name__[0].lower() + kind.__name__[1:], kind.code)
            self.assertIs(getattr(kvpager, kind.__name__), kind)
            self.assertIn(kind.__name__, kvpager.__all__)

    def test_the_library_names_its_statuses_as_the_exceptions_do(self) -> None:
        for status, kind in errors.BY_STATUS.items():
            self.assertEqual(_library.library().kvpager_status_name(status).decode(), kind.code)
        self.assertEqual(_library.library().kvpager_status_name(4711), b"unknown")

    def test_package_header_and_library_have_one_abi_version(self) -> None:
        declared = int(re.search(r"#define KVPAGER_ABI_VERSION (\d+)", HEADER)[1])
        self.assertEqual(_library.ABI_VERSION, declared)
        self.assertEqual(_library.library().kvpager_abi_version(), declared)

    def test_package_and_library_have_one_version(self) -> None:
        self.assertEqual(kvpager.library_version(), kvpager.__version__)

    def test_rows_are_four_numbers_of_64_bits_as_the_header_says(self) -> None:
        members = re.search(r"typedef struct \{(.*?)\} kvpager_rows;", CODE, flags=re.S)[1]
        declared = [" ".join(member.split()) for member in members.split(";") if member.strip()]
        self.assertEqual(declared, ["void *base", "int64_t token_stride", "int64_t part_bytes", "int64_t part_stride"])
        self.assertEqual(ctypes.sizeof(c_void_p), 8)
        planes = [kvpager.Plane("keys", layer, "f16", 4) for layer in range(2)]
        buffers = [bytearray(8), bytearray(8)]
        rows = PlaneRows(planes, buffers, 2, writable=True)
        entries = (c_int64 * 8).from_address(rows.rows)
        addresses = [ctypes.addressof(ctypes.c_char.from_buffer(buffer)) for buffer in buffers]
        self.assertEqual(list(entries), [addresses[0], 0, 0, 0, addresses[1], 0, 0, 0])

    def test_every_export_option_is_one_of_the_header(self) -> None:
        from kvpager._export import OPTION_NAMES

        self.assertEqual(list(OPTION_NAMES), list(kvpager.ExportOptions.__annotations__))
        for name in OPTION_NAMES.values():
            self.assertIn(f'"{name}"', HEADER)


if __name__ == "__main__":
    unittest.main()
