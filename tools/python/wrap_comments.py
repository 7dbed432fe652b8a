#!/usr/bin/env python3
"""Wraps comments that are longer than 120 columns, which swift-format leaves alone. Needs no packages.

    wrap_comments.py FILE...

Only a paragraph that holds such a line is wrapped again. Says which lines of code are still too long.
"""

import re
import sys
import textwrap
from pathlib import Path

WIDTH = 120
COMMENT = re.compile(r"^(\s*(?:///|//|#)\s+)(\S.*)$")


def continues(line: str, prefix: str) -> bool:
    """True for another line of the same paragraph: not a list's next item, a table, a heading or code."""
    return line.startswith(prefix) and re.match(r"[^\s\-|`*#]", line[len(prefix) :]) is not None


def wrapped(lines: list[str]) -> list[str]:
    output, index = [], 0
    while index < len(lines):
        comment = COMMENT.match(lines[index]) if len(lines[index]) > WIDTH else None
        if comment is None:
            output.append(lines[index])
            index += 1
            continue
        prefix, paragraph = comment.group(1), [comment.group(2)]
        indent = "  " if re.match(r"[-*] ", paragraph[0]) else ""
        index += 1
        while index < len(lines) and continues(lines[index], prefix + indent):
            paragraph.append(lines[index][len(prefix) :].strip())
            index += 1
        output += textwrap.wrap(
            " ".join(paragraph), WIDTH, initial_indent=prefix, subsequent_indent=prefix + indent,
            break_long_words=False, break_on_hyphens=False)
    return output


for path in map(Path, sys.argv[1:]):
    before = path.read_text().split("\n")
    after = wrapped(before)
    if after != before:
        path.write_text("\n".join(after))
    for number, line in enumerate(after, 1):
        if len(line) > WIDTH:
            print(f"{path}:{number}: {len(line)} columns of code")
