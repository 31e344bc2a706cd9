"""Copies results into the pages, so that numbers are never typed.

    python docs/tables.py                             # refresh the pages
    python docs/tables.py accuracy RESULTS.json...    # first add the runs of `hsi-geo benchmark`
    python docs/tables.py parts RESULTS.json...       # the same for parts of our method
    python docs/tables.py fifth RESULTS.json...       # and for the fifth scene

Between ``<!-- result: NAME -->`` and ``<!-- end -->`` a page holds `docs/results/NAME` as it is (its last
line for ``NAME#last``), or, for a name of `TABLES`, a table of the runs in `docs/results/accuracy.csv`,
`parts.csv` or `fifth.csv`. Parts of the method have a file of their own, because their runs must come
from one version of the code. A test checks that the pages are up to date.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from hsi_geo.tasks.benchmarking.tables import pooled

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"

#: Fields of a run that are kept.
KEYS = ("scene", "split", "shots", "method", "seed", "oa", "aa", "kappa", "ece")

SPLITS = ("random", "blocked")
CLASSICAL = ["auto", "svm", "random-forest", "logistic-regression", "pca", "noise"]
PARTS = ["hsi-geo", "no-features", "no-weights", "linear-head"]
WAYS = ["hsi-geo", "teacher-only", "noise-only", "fine-tuning", "ema", "linear-head"]
CURVE = ["hsi-geo", "auto", "svm", "random-forest"]

Runs = list[dict[str, Any]]
Rows = list[list[str]]

PLACE = re.compile(r"(<!-- result: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def compared(runs: Runs) -> Rows:
    """All methods, five shots drawn anywhere."""
    return pooled(_of(runs, "random"), ["hsi-geo", *CLASSICAL, "best"])


def blocked(runs: Runs) -> Rows:
    """All methods, shots and test pixels in different blocks."""
    return pooled(_of(runs, "blocked"), ["hsi-geo", *CLASSICAL, "best"])


def others(runs: Runs) -> Rows:
    """AA, kappa and ECE of our method."""
    rows = [["", *_scenes(runs)]]
    for split in SPLITS:
        own = [run for run in _of(runs, split) if run["method"] == "hsi-geo"]
        for key, title in (("aa", "AA"), ("kappa", "kappa"), ("ece", "ECE")):
            cells = [_mean(run[key] for run in own if run["scene"] == s) for s in _scenes(own)]
            rows.append([f"{title}, {split} split", *cells])
    return rows


def parts(runs: Runs) -> Rows:
    """Our method without parts of the network."""
    return pooled(_of(runs, "random"), PARTS)


def ways(runs: Runs) -> Rows:
    """Ways to fine-tune the network."""
    return pooled(_of(runs, "random"), WAYS)


def curve(runs: Runs) -> Rows:
    """Pooled error by number of shots a class, over the seeds that all numbers have in common."""
    counts = sorted({run["shots"] for run in runs if run["split"] == "random"})
    seeds = set.intersection(*({run["seed"] for run in _of(runs, "random", c)} for c in counts))
    same = [run for run in runs if run["seed"] in seeds]
    rows = [["pooled error", *(f"{count} shot{'s' * (count > 1)}" for count in counts)]]
    tables = [pooled(_of(same, "random", count), CURVE) for count in counts]
    for index, name in enumerate(CURVE, start=1):
        rows.append([name, *(table[index][-1] for table in tables)])
    return rows


def fifth(runs: Runs) -> Rows:
    """All methods on one scene, by split, and the calibration error of our method."""
    methods = ["hsi-geo", *CLASSICAL]
    by_split = [pooled(_of(runs, split), methods)[1:] for split in SPLITS]
    rows = [["method", *(f"{split} split" for split in SPLITS)]]
    rows += [[cells[0][0], *(row[1] for row in cells)] for cells in zip(*by_split, strict=True)]
    own = [run for run in runs if run["method"] == "hsi-geo"]
    calibration = [_mean(run["ece"] for run in _of(own, split)) for split in SPLITS]
    return [*rows, ["ECE of hsi-geo", *calibration]]


#: Tables that are made from each file of runs.
TABLES: dict[str, dict[str, Callable[[Runs], Rows]]] = {
    "accuracy": {made.__name__: made for made in (compared, blocked, others, curve)},
    "parts": {made.__name__: made for made in (parts, ways)},
    "fifth": {"fifth": fifth},
}


def _of(runs: Runs, split: str, shots: int = 5) -> Runs:
    return [run for run in runs if (run["split"], run["shots"]) == (split, shots)]


def _scenes(runs: Runs) -> list[str]:
    return list(dict.fromkeys(run["scene"] for run in runs))


def _mean(values: Iterable[float]) -> str:
    shares = list(values)
    return f"{100 * sum(shares) / len(shares):.1f}"


def read_runs(name: str) -> Runs:
    """Read the runs of one file."""
    kinds = {"shots": int, "seed": int} | dict.fromkeys(("oa", "aa", "kappa", "ece"), float)
    with (RESULTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [
            {key: kinds.get(key, str)(value) for key, value in row.items()}
            for row in csv.DictReader(file)
        ]


def add_runs(name: str, paths: Iterable[str]) -> None:
    """Add the runs of results.json files to a file; they replace earlier runs of the same draw."""
    found = {tuple(run[key] for key in KEYS[:5]): run for run in read_runs(name)}
    for path in paths:
        for run in json.loads(Path(path).read_text(encoding="utf-8")):
            found[tuple(run[key] for key in KEYS[:5])] = {key: run[key] for key in KEYS}
    with (RESULTS / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, KEYS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found.values())


def made_tables() -> dict[str, str]:
    """Make all tables, as Markdown by name."""
    return {
        name: _markdown(make(runs))
        for file, tables in TABLES.items()
        for runs in (read_runs(file),)
        for name, make in tables.items()
    }


def filled(page: str, tables: dict[str, str]) -> str:
    """Fill in the results between the marks of a page."""

    def content(found: re.Match[str]) -> str:
        name = found[2]
        return f"{found[1]}\n{tables.get(name) or _printed(name)}\n{found[3]}"

    return PLACE.sub(content, page)


def _markdown(rows: Rows) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]) + "\n"


def _printed(name: str) -> str:
    """Text of a results file: Markdown unchanged, other text as a code block."""
    file, _, part = name.partition("#")
    path = RESULTS / file
    text = path.read_text(encoding="utf-8").strip("\n")
    if part == "last":
        text = text.splitlines()[-1]
    if path.suffix != ".md":
        text = "\n".join(f"    {line}".rstrip() for line in text.splitlines())
    return text + "\n"


def pages() -> list[Path]:
    """Pages that may hold results."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def main() -> None:
    """Refresh all pages."""
    if sys.argv[1:]:
        add_runs(sys.argv[1], sys.argv[2:])
    tables = made_tables()
    for path in pages():
        page = path.read_text(encoding="utf-8")
        path.write_text(filled(page, tables), encoding="utf-8")


if __name__ == "__main__":
    main()
