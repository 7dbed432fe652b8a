"""The demo's closing table, from the answers that kvpager gave, and where they miss what they should be.

    demo_report.py FOLDER BLOCK_TOKENS KEPT_TOKENS
"""

import json
import sys
from pathlib import Path

folder, block_tokens, kept_tokens = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])


def read(name):
    return json.loads((folder / f"{name}.json").read_text())


def mebibytes(count):
    return f"{count / 2**20:.2f} MiB"


def table(rows):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [str(cell).ljust(w) if i == 0 else str(cell).rjust(w) for i, (cell, w) in enumerate(zip(row, widths))]
        print("   " + "  ".join(cells))
    print()


names = ["first", "second", "victim"]
rows = [("session", "tokens", "blocks", "shared", "hits in RAM", "planes from disk", "import ms", "time to load ms")]
for name in names:
    taken, given = read(f"import-{name}"), read(f"export-{name}")
    rows.append((name, taken["tokens"], taken["blocks"]["total"], taken["blocks"]["shared"],
                 given["hits"]["memory"], given["hits"]["disk"], taken["milliseconds"], given["milliseconds"]))
table(rows)

stats = read("stats")
size, blocks = stats["bytes"], stats["blocks"]
table([
    ("first, second and a fork of the first", ""),
    ("blocks that sessions refer to", blocks["references"]),
    ("blocks stored", blocks["unique"]),
    ("bytes logical", mebibytes(size["logical"])),
    ("bytes unique", mebibytes(size["unique"])),
    ("bytes of frames", mebibytes(size["compressed"])),
    ("bytes on disk", mebibytes(size["disk"])),
])

rows = [("sample", "rows / frames", "logical", "frames", "on disk")]
ratios = {}
for path in sorted((folder / "samples").glob("*.json")):
    answer = json.loads(path.read_text())["bytes"]
    ratios[path.stem] = answer["unique"] / answer["compressed"]
    rows.append((path.stem.removeprefix("smollm2-135m_"), f"{ratios[path.stem]:.3f}",
                 *(mebibytes(answer[key]) for key in ("logical", "compressed", "disk"))))
table(rows)

# What the figures should be: name, got, wanted, whether it holds.
full, kept = 512 // block_tokens, kept_tokens // block_tokens
bfloat = next(ratio for name, ratio in ratios.items() if "bf16" in name)
half = next(ratio for name, ratio in ratios.items() if "512tok_f16" in name)
aims = [
    ("blocks stored once", blocks["unique"], f"exactly {2 * full - kept}", blocks["unique"] == 2 * full - kept),
    ("references of the three sessions", blocks["references"], f"exactly {2 * full + kept}",
     blocks["references"] == 2 * full + kept),
    ("shared blocks of the second import", read("import-second")["blocks"]["shared"], f"exactly {kept}",
     read("import-second")["blocks"]["shared"] == kept),
    ("rows over frames, bf16", f"{bfloat:.3f}", "1.28 or more", bfloat >= 1.28),
    ("rows over frames, f16", f"{half:.3f}", "1.05 or more", half >= 1.05),
    ("disk over frames", f"{size['disk'] / size['compressed']:.3f}", "1.02 or less",
     size["disk"] <= 1.02 * size["compressed"]),
]
table([("aim", "got", "wanted", "")] + [(*aim[:3], "ok" if aim[3] else "MISSED") for aim in aims])
missed = [aim[0] for aim in aims if not aim[3]]
print("   every figure is what it should be" if not missed else f"   missed: {', '.join(missed)}")
