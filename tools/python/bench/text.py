"""Real text of any length: the prompt of the samples, then what this repository tells about itself."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def files() -> list[Path]:
    """English first, then Swift, C and Python: tens of thousands of words in all."""
    guides = sorted(ROOT.glob("Sources/**/*.docc/*.md")) + sorted(ROOT.glob("data/**/*.md"))
    sources = sorted(ROOT.glob("Sources/**/*.swift"))
    return [ROOT / "data/samples/prompt.txt", ROOT / "README.md", *guides, *sources]


def real_text(byte_count: int) -> str:
    """At least `byte_count` bytes of it."""
    parts: list[str] = []
    size = 0
    for file in files():
        parts.append(file.read_text(encoding="utf-8"))
        size += len(parts[-1])
        if size >= byte_count:
            return "\n\n".join(parts)
    raise RuntimeError(f"the repository has {size} bytes of text, {byte_count} are wanted")
