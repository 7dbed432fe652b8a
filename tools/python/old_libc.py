"""Makes the engine's libraries load on a C library older than they were built against (glibc 2.38).

    old_libc.py FOLDER

The wheel names an older glibc in its tag than it needs, though all that it needs of 2.38 are C23's names of strtol and
its like. So the requirement is marked weak in our private copy of the libraries (one flag in `.gnu.version_r`), and the
four names come from a small library of our own, `isoc23.so`, which engine.py loads first. Does nothing on a newer C
library.
"""

import ctypes
import struct
import subprocess
import sys
from pathlib import Path

SHIM = r"""
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
long __isoc23_strtol(const char *s, char **e, int b) { return strtol(s, e, b); }
unsigned long __isoc23_strtoul(const char *s, char **e, int b) { return strtoul(s, e, b); }
unsigned long long __isoc23_strtoull(const char *s, char **e, int b) { return strtoull(s, e, b); }
int __isoc23_sscanf(const char *s, const char *f, ...) {
  va_list a;
  va_start(a, f);
  int n = vsscanf(s, f, a);
  va_end(a);
  return n;
}
"""
VERSION_NEEDS_SECTION = 0x6FFFFFFE
WEAK = 0x2


def is_older_than_needed() -> bool:
    """False too where there is no glibc at all."""
    try:
        version = ctypes.CDLL(None).gnu_get_libc_version
    except AttributeError:
        return False
    version.restype = ctypes.c_char_p
    return tuple(map(int, version().decode().split("."))) < (2, 38)


def weaken(path: Path, wanted: bytes = b"GLIBC_2.38") -> None:
    """Sets the weak flag on each requirement of version `wanted` in a 64-bit little-endian ELF library."""
    data = bytearray(path.read_bytes())
    if data[:6] != b"\x7fELF\x02\x01":
        return
    (table,) = struct.unpack_from("<Q", data, 0x28)
    entry_size, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * entry_size) for i in range(count)]
    for _, kind, _, _, need, _, strings, _, _, _ in sections:
        if kind != VERSION_NEEDS_SECTION:
            continue
        names = sections[strings][4]
        while True:
            _, entry_count, _, first, next_need = struct.unpack_from("<HHIII", data, need)
            entry = need + first
            for _ in range(entry_count):
                _, flags, _, name, next_entry = struct.unpack_from("<IHHII", data, entry)
                if data[names + name : names + name + len(wanted) + 1] == wanted + b"\0":
                    struct.pack_into("<H", data, entry + 4, flags | WEAK)
                entry += next_entry
            if next_need == 0:
                break
            need += next_need
    path.write_bytes(data)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    if is_older_than_needed():
        for library in folder.glob("lib*.so*"):
            weaken(library)
        # The compiler that every machine with Swift has.
        command = ["clang", "-x", "c", "-", "-O1", "-shared", "-fPIC", "-o", str(folder / "isoc23.so")]
        subprocess.run(command, input=SHIM.encode(), check=True)
