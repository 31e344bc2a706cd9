"""Time until a mistake is reported, and time that a job spends on imports, beside `import torch` alone.

    python docs/measurements/import_times.py [--runs 5] > docs/results/import_times.md

Each program is started several times, in turn with the others, and the least time counts: other programs on the
machine disturb it little. Ratios are to `import torch` in the same run.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hsi_geo.tasks.demo import write_inputs

#: What is measured: title, and arguments of Python in a folder with the demo's scene and shots.
PROGRAMS: dict[str, Sequence[str]] = {
    "`import torch` alone": ("-c", "import torch"),
    "`--help`": ("-m", "hsi_geo", "--help"),
    "`--version`": ("-m", "hsi_geo", "--version"),
    "`classify`, no such scene": ("-m", "hsi_geo", "classify", "nope.tif", "--shots", "a.gpkg"),
    "`classify`, no such field": (
        *("-m", "hsi_geo", "classify", "indian_pines.tif", "--shots", "indian_pines_shots.gpkg"),
        *("--class-field", "nope"),
    ),
    "`classify`, no such output folder": (
        *("-m", "hsi_geo", "classify", "indian_pines.tif", "--shots", "indian_pines_shots.gpkg"),
        *("-o", "nowhere/map.tif"),
    ),
    "`predict`, no such model": (
        *("-m", "hsi_geo", "predict", "indian_pines.tif", "--model", "nope.safetensors"),
    ),
    "all modules of `predict`": (
        "-c",
        "import hsi_geo.tasks.predict, hsi_geo.tasks.inference.mapping",
    ),
    "all modules of `adapt`": (
        "-c",
        "import hsi_geo.tasks.adapt, hsi_geo.tasks.adaptation.fitting",
    ),
}


@dataclass(frozen=True, slots=True)
class Seconds:
    """Least times of a program.

    Attributes:
        wall: Seconds from start to end.
        cpu: Seconds of all its threads.
    """

    wall: float
    cpu: float


def measure(runs: int, folder: Path) -> dict[str, Seconds]:
    """Start each program several times.

    Args:
        runs: Number of starts of each.
        folder: Folder that the programs run in.
    """
    found: dict[str, Seconds] = {}
    for _ in range(runs):
        for title, arguments in PROGRAMS.items():
            one = _once(arguments, folder)
            best = found.get(title, one)
            found[title] = Seconds(min(one.wall, best.wall), min(one.cpu, best.cpu))
    return found


def _once(arguments: Sequence[str], folder: Path) -> Seconds:
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=folder, check=False, capture_output=True)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - started
    return Seconds(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        write_inputs(Path(name))
        found = measure(runs, Path(name))
    torch = found["`import torch` alone"]
    print("| program | wall (s) | CPU (s) | CPU beside `import torch` |")
    print("|---|---|---|---|")
    for title, seconds in found.items():
        ratio = seconds.cpu / torch.cpu
        print(f"| {title} | {seconds.wall:.2f} | {seconds.cpu:.2f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
