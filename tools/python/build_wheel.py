#!/usr/bin/env python3
"""Builds the wheel of the Python package: its modules, the library, and the licences of all that is inside.

    build_wheel.py --library DIR --checkouts DIR --out DIR

DIR of --library holds libkvpager.so (.dylib on macOS), and beside it the libraries that it brings along. Needs nothing
but Python's standard library. The same input gives the same bytes. Prints the wheel's path.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import tomllib

from elf_needs import elf_needs

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]

#: What a wheel may expect of every Linux (PEP 600).
SYSTEM_LIBRARIES = {
    "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libgcc_s.so.1", "libstdc++.so.6",
    "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1",
}  # fmt: skip

#: The glibc from which on distributions bring a libstdc++ with these symbols.
GLIBC_OF_LIBSTDCXX = [
    ((3, 4, 19), (2, 17)), ((3, 4, 24), (2, 28)), ((3, 4, 28), (2, 31)), ((3, 4, 29), (2, 34)), ((3, 4, 30), (2, 35)),
    ((3, 4, 32), (2, 38)), ((3, 4, 33), (2, 39)), ((3, 4, 34), (2, 41)),
]  # fmt: skip

#: Swift packages whose code is in the library.
SWIFT_PACKAGES = ["swift-asn1", "swift-crypto", "swift-log", "swift-metrics"]

#: C libraries in it or beside it: the name that Debian's packages begin with, and Homebrew's.
C_LIBRARIES = {"lmdb": ("liblmdb", "lmdb"), "lz4": ("liblz4", "lz4"), "xxhash": ("libxxhash", "xxhash")}


class CannotBuild(Exception):
    """Why there is no wheel, and what helps."""


def libraries_in(folder: Path) -> list[Path]:
    """libkvpager first, then what it brings along from the same folder. Fails where it needs more than a system has."""
    if sys.platform == "darwin":
        return [folder / "libkvpager.dylib", *sorted(set(folder.glob("*.dylib")) - {folder / "libkvpager.dylib"})]
    found = [folder / "libkvpager.so"]
    for library in found:  # grows as libraries name others
        needs = elf_needs(library)
        for name in needs.libraries:
            if name in SYSTEM_LIBRARIES or folder / name in found:
                continue
            if not (folder / name).is_file():
                raise CannotBuild(f"{library.name} needs {name}, which no wheel may expect and which is not beside it")
            if "$ORIGIN" not in ":".join(needs.search):
                raise CannotBuild(f"{library.name} needs {name} beside it, and has no RUNPATH of $ORIGIN")
            found.append(folder / name)
    return found


def platform_tag(libraries: list[Path]) -> str:
    """The oldest platform that has all symbols which the libraries ask for, as the wheel's name tells it."""
    if sys.platform == "darwin":
        version = platform.mac_ver()[0].split(".")
        return f"macosx_{version[0]}_0_{platform.machine()}"
    needs = [elf_needs(library) for library in libraries]
    glibc = max((2, 17), *(need.highest("GLIBC_")[:2] for need in needs))
    libstdcxx = max(need.highest("GLIBCXX_") for need in needs)
    if libstdcxx:
        bringing = [version for symbols, version in GLIBC_OF_LIBSTDCXX if symbols >= libstdcxx]
        if not bringing:
            newest = ".".join(map(str, libstdcxx))
            raise CannotBuild(f"GLIBCXX_{newest} is newer than GLIBC_OF_LIBSTDCXX knows: extend it")
        glibc = max(glibc, bringing[0])
    return f"manylinux_{glibc[0]}_{glibc[1]}_{needs[0].machine}"


def licences(checkouts: Path) -> dict[str, bytes]:
    """The licence texts of everything that a wheel holds, by the name of their file."""
    texts = {name: (REPOSITORY / name).read_bytes() for name in ("LICENSE", "NOTICE")}
    for package in SWIFT_PACKAGES:
        for name in ("LICENSE.txt", "NOTICE.txt"):
            texts[f"{package}/{name}"] = _first([checkouts / package / name], f"the licence of {package}")
    swift = Path(shutil.which("swift") or "/usr/bin/swift").resolve()
    toolchains = [swift.parent.parent / "share/swift/LICENSE.txt"]
    if sys.platform == "darwin":
        toolchains.append(checkouts / "swift-log/LICENSE.txt")  # Apple's toolchain brings none; its text is the same
    texts["swift/LICENSE.txt"] = _first(toolchains, "the licence of the Swift runtime")
    for name, (debian, brew) in C_LIBRARIES.items():
        places = sorted(Path("/usr/share/doc").glob(f"{debian}*/copyright"))
        for cellar in ("/opt/homebrew/opt", "/usr/local/opt"):
            places += [Path(cellar) / brew / licence for licence in ("LICENSE", "COPYRIGHT")]
        places += [Path(f"/usr/share/licenses/{folder}/LICENSE") for folder in (brew, debian)]
        texts[f"{name}/copyright"] = _first(places, f"the licence of {name}")
    return texts


def _first(places: list[Path], what: str) -> bytes:
    for place in places:
        if place.is_file():
            return place.read_bytes()
    looked = ", ".join(map(str, places)) or "nowhere"
    raise CannotBuild(f"{what} is not on this machine (looked at: {looked}); a wheel must carry it")


def version() -> str:
    """The version that kvpager/_version.py names."""
    names: dict[str, str] = {}
    exec((HERE / "kvpager/_version.py").read_text(), names)
    return names["__version__"]


def check_version(library: Path, expected: str) -> None:
    """Fails where the library is of another version than the package. Asks it in a process of its own."""
    code = (
        "import ctypes, sys; library = ctypes.CDLL(sys.argv[1]); "
        "library.kvpager_version.restype = ctypes.c_char_p; print(library.kvpager_version().decode())"
    )
    answer = subprocess.run([sys.executable, "-c", code, str(library)], capture_output=True, text=True)
    if answer.returncode != 0:
        raise CannotBuild(f"{library} does not load: {answer.stderr.strip()}")
    if answer.stdout.strip() != expected:
        raise CannotBuild(f"{library} is version {answer.stdout.strip()}, and the package is {expected}")


def metadata(project: dict, licence_names: list[str]) -> str:
    """METADATA, with the package's README as the description."""
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {version()}",
        f"Summary: {project['description']}",
        f"Requires-Python: {project['requires-python']}",
        "License-Expression: Apache-2.0",
        *(f"License-File: {name}" for name in licence_names),
        "Classifier: Programming Language :: Python :: 3",
        "Classifier: Programming Language :: Python :: Implementation :: CPython",
        "Classifier: Typing :: Typed",
    ]
    for extra, requirements in project["optional-dependencies"].items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f'Requires-Dist: {requirement}; extra == "{extra}"' for requirement in requirements]
    lines.append("Description-Content-Type: text/markdown")
    return "\n".join(lines) + "\n\n" + (HERE / project["readme"]).read_text()


def commands(project: dict) -> str:
    """entry_points.txt: the project's commands ([project.scripts]) whose modules are there."""
    scripts = {
        name: target
        for name, target in project.get("scripts", {}).items()
        if (HERE / (target.split(":")[0].replace(".", "/") + ".py")).is_file()
    }
    return "".join(["[console_scripts]\n", *(f"{name} = {target}\n" for name, target in sorted(scripts.items()))])


def contents(libraries: list[Path], tag: str, checkouts: Path) -> dict[str, bytes]:
    """Everything in the wheel but RECORD, by path."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    package = HERE / "kvpager"
    files = {
        str(path.relative_to(HERE)): path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.relative_to(package).parts[0] != "lib"
    }
    for library in libraries:
        files[f"kvpager/lib/{library.name}"] = library.read_bytes()
    info = f"kvpager-{version()}.dist-info"
    texts = licences(checkouts)
    files |= {f"{info}/licenses/{name}": text for name, text in texts.items()}
    files[f"{info}/METADATA"] = metadata(project, list(texts)).encode()
    files[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: kvpager\nRoot-Is-Purelib: false\nTag: py3-none-{tag}\n"
    ).encode()
    files[f"{info}/entry_points.txt"] = commands(project).encode()
    files[f"{info}/top_level.txt"] = b"kvpager\n"
    return files


def write_wheel(path: Path, files: dict[str, bytes]) -> None:
    """Writes the archive with its RECORD; it takes its name when it is whole."""
    info = next(name.split("/")[0] for name in files if name.endswith("/WHEEL"))
    record = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(data)}")
    record.append(f"{info}/RECORD,,")
    partial = path.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [*files.items(), (f"{info}/RECORD", ("\n".join(record) + "\n").encode())]:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if "/lib/" in name else 0o100644) << 16
            archive.writestr(entry, data)
    partial.replace(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True, help="the folder that tools/library filled")
    parser.add_argument("--checkouts", type=Path, required=True, help="the Swift packages' sources, for their licences")
    parser.add_argument("--out", type=Path, required=True, help="where the wheel goes")
    arguments = parser.parse_args()
    try:
        libraries = libraries_in(arguments.library)
        check_version(libraries[0], version())
        tag = platform_tag(libraries)
        files = contents(libraries, tag, arguments.checkouts)
    except (CannotBuild, OSError, ValueError) as error:
        print(f"wheel: {error}", file=sys.stderr)
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / f"kvpager-{version()}-py3-none-{tag}.whl"
    write_wheel(path, files)
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
