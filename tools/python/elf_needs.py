"""What a shared library for Linux needs of the machine that it runs on, read from the ELF file itself."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

_NEEDED, _STRTAB, _RPATH, _RUNPATH, _VERNEED, _VERNEEDNUM = 1, 5, 15, 29, 0x6FFFFFFE, 0x6FFFFFFF

#: e_machine to the word in a wheel's platform tag.
_MACHINES = {62: "x86_64", 183: "aarch64", 243: "riscv64"}


@dataclass
class ElfNeeds:
    """machine: as wheels name it. libraries: those that the loader must find (DT_NEEDED). search: RPATH and RUNPATH.
    versions: symbol versions by library, such as {"libc.so.6": ["GLIBC_2.34", ...]}."""

    machine: str
    libraries: list[str] = field(default_factory=list)
    search: list[str] = field(default_factory=list)
    versions: dict[str, list[str]] = field(default_factory=dict)

    def highest(self, prefix: str) -> tuple[int, ...]:
        """The highest number among the versions of that prefix: (2, 34) for "GLIBC_"; () for none."""
        numbers = [
            tuple(int(part) for part in version[len(prefix) :].split("."))
            for versions in self.versions.values()
            for version in versions
            if version.startswith(prefix) and version[len(prefix) :].replace(".", "").isdigit()
        ]
        return max(numbers, default=())


def elf_needs(path: Path) -> ElfNeeds:
    """The needs of a 64-bit little-endian library. Raises ValueError for any other file."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError(f"{path} is no 64-bit little-endian ELF file")
    machine, program_offset = struct.unpack_from("<18xH12xQ", data)
    entry_size, entry_count = struct.unpack_from("<54xHH", data)
    segments = [
        struct.unpack_from("<IIQQQQQQ", data, program_offset + index * entry_size) for index in range(entry_count)
    ]

    def place(address: int) -> int:
        for kind, _, offset, start, _, size, _, _ in segments:
            if kind == 1 and start <= address < start + size:
                return int(offset + address - start)
        raise ValueError(f"{path}: address {address:#x} is in no segment")

    dynamic: list[tuple[int, int]] = []
    for kind, _, offset, _, _, size, _, _ in segments:
        if kind == 2:
            dynamic = [struct.unpack_from("<QQ", data, offset + at) for at in range(0, size, 16)]
    entries = dict(dynamic)
    strings = place(entries[_STRTAB])

    def string(at: int) -> str:
        return data[strings + at : data.index(b"\0", strings + at)].decode()

    needs = ElfNeeds(_MACHINES.get(machine, f"machine{machine}"))
    needs.libraries = [string(value) for tag, value in dynamic if tag == _NEEDED]
    needs.search = [string(value) for tag, value in dynamic if tag in (_RPATH, _RUNPATH)]
    at = place(entries[_VERNEED]) if _VERNEED in entries else 0
    for _ in range(entries.get(_VERNEEDNUM, 0)):
        _, count, name, first, following = struct.unpack_from("<HHIII", data, at)
        version_at, versions = at + first, needs.versions.setdefault(string(name), [])
        for _ in range(count):
            _, _, _, version, step = struct.unpack_from("<IHHII", data, version_at)
            versions.append(string(version))
            version_at += step
        at += following
    return needs
