"""Sizes in bytes, as numbers or as people write them."""

from __future__ import annotations

import operator
import re
from decimal import Decimal

from .errors import InvalidArgument

#: Bytes: an int, or a text such as "64MiB" (binary) or "20GB" (decimal), as the command `kvpager` takes them.
Size = int | str

_UNITS = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgt", start=1):
    _UNITS[f"{_letter}ib"] = 1 << (10 * _power)
    _UNITS[f"{_letter}b"] = 1000**_power

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)")


def byte_count(size: Size, what: str) -> int:
    """The bytes of a size. `what` is named where it is none."""
    if not isinstance(size, str):
        try:
            count = operator.index(size)
        except TypeError:
            raise TypeError(f'{what} is an int or a text such as "64MiB", not {type(size).__name__}') from None
    else:
        match = _SIZE.fullmatch(size)
        unit = _UNITS.get(match[2].lower()) if match else None
        if match is None or unit is None or ("." in match[1] and not match[2]):
            raise InvalidArgument(f'{what} {size!r} is no size: write bytes, or "64MiB", "1.5GiB", "20GB"')
        count = int(Decimal(match[1]) * unit)
    if not 0 <= count < 1 << 63:
        raise InvalidArgument(f"{what} {size!r} is out of range")
    return count
