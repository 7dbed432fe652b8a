"""The command `kvpager-llama-server`, also `python -m kvpager.server`."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from typing import Optional

import kvpager

from .application import Application, StartFailed
from .options import parse


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the server until it is told to stop. Returns 0, or 1 where it could not start (2 is wrong usage)."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(
        level=options.log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)-7s %(message)s"
    )
    try:
        kvpager.tune_malloc()
        return asyncio.run(Application(options).run())
    except kvpager.LibraryUnavailable as unavailable:
        print(f"kvpager-llama-server: {unavailable}", file=sys.stderr)
        return 1
    except StartFailed as failure:
        print(f"kvpager-llama-server: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
