"""Counts what the tests really did, from the files that their runners wrote, and says it in one line.

    count_results.py FOLDER NAME=STATUS...

FOLDER holds swift-swift-testing.xml for `swift`, and NAME.json, {"passed", "failed", "skipped"}, for the others. A
runner that failed without a result that says so (a crash, a build error) counts as one failure. STATUS is the runner's
exit code, 77 for "its packages cannot be had". Exit 1 where anything failed or nothing ran.
"""

import json
import os
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

CANNOT_BE_HAD = 77
EMPTY = {"passed": 0, "failed": 0, "skipped": 0}


def swift_counts(folder: Path):
    counts = dict(EMPTY)
    # Swift Testing's file and XCTest's.
    for name in ("swift-swift-testing.xml", "swift.xml"):
        path = folder / name
        try:
            cases = list(ElementTree.parse(path).iter("testcase")) if path.exists() else []
        except ElementTree.ParseError:
            cases = []
        for case in cases:
            if case.find("failure") is not None or case.find("error") is not None:
                counts["failed"] += 1
            elif case.find("skipped") is not None:
                counts["skipped"] += 1
            else:
                counts["passed"] += 1
    return counts


def counts_of(name: str, status: int, folder: Path):
    path = folder / f"{name}.json"
    if name == "swift":
        counts = swift_counts(folder)
    elif status == CANNOT_BE_HAD:
        if os.environ.get("KVPAGER_REQUIRE_MODEL") != "1":
            print(f"{name}: skipped, its packages cannot be had here")
            return EMPTY | {"skipped": 1}
        print(f"{name}: could not run, and KVPAGER_REQUIRE_MODEL=1 asks for it: counted as one failure")
        return EMPTY | {"failed": 1}
    else:
        counts = EMPTY | (json.loads(path.read_text()) if path.exists() else {})
    if status != 0 and counts["failed"] == 0:
        print(f"{name}: ended with {status} and named no failed test: counted as one failure")
        counts["failed"] = 1
    elif status == 0 and counts["passed"] == 0:
        print(f"{name}: ended well and ran no test: counted as one failure")
        counts["failed"] += 1
    return counts


def main() -> int:
    folder = Path(sys.argv[1])
    total = dict(EMPTY)
    for argument in sys.argv[2:]:
        name, status = argument.split("=")
        counts = counts_of(name, int(status), folder)
        total = {key: total[key] + counts[key] for key in EMPTY}
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {total['failed']} failed{skipped}")
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
