"""Time of `classify` from process start to map, of two checkouts in turn: docs/performance.md.

    python docs/measurements/cold_classify.py OLD NEW DATA [--repeats 3] [--full]

OLD and NEW are checkouts with an environment in `.venv` (`make .venv/.installed-dev`). DATA is the folder of scenes. Indian
Pines has the 80 shots of the demo, Berlin its polygons. The large scene is Indian Pines, resampled to 224 bands and repeated to 1000 x 1000
pixels, with five points in each of ten classes; it takes minutes and is run a third as often. The checkouts take turns, so that both meet the same machine, and
nothing else may run. The processor is limited to AVX2; --full takes all its instructions.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import machine
from scaling_scenes import Scenes

from hsi_geo.tasks.demo import write_inputs

#: The scene that takes minutes.
LARGE = "1000 x 1000, 50 points"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="use all instructions, not only AVX2")
    options = parser.parse_args()
    if not options.full:
        machine.limit_instructions()
    print("| scene | old, s | new, s | ratio of the medians |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="hsi-geo-") as name:
        folder = Path(name)
        pines, shots, _ = write_inputs(folder)
        berlin = options.data / "enmap_berlin"
        jobs = {
            "Indian Pines, 80 shots": [str(pines), "--shots", str(shots)],
            "Berlin, its polygons": [
                str(berlin / "EnMAP_BerlinUrbanGradient.bsq"),
                *("--shots", str(berlin / "LandCov_BerlinUrbanGradient.shp")),
                *("--class-field", "Level_2"),
            ],
        }
        scenes = Scenes(folder)
        large = scenes.repeated(10**6, bands=224)
        jobs[LARGE] = [str(large), "--shots", str(scenes.shots())]
        for scene, arguments in jobs.items():
            found: dict[Path, list[float]] = {options.old: [], options.new: []}
            repeats = max(1, options.repeats // 3) if scene == LARGE else options.repeats
            for _ in range(repeats):
                for checkout, seconds in found.items():
                    machine.require_quiet()
                    seconds.append(seconds_of(checkout, arguments, folder / "map.tif"))
            old, new = found.values()
            ratio = statistics.median(new) / statistics.median(old)
            print(f"| {scene} | {spread(old)} | {spread(new)} | {ratio:.2f} |", flush=True)
    commits = [commit_of(checkout) for checkout in (options.old, options.new)]
    print(
        f"\nOld is commit {commits[0]}, new is {commits[1]}; {os.cpu_count()} cores; {machine.instructions()}."
    )


def seconds_of(checkout: Path, arguments: list[str], out: Path) -> float:
    """Wall time of one run."""
    command = [checkout / ".venv" / "bin" / "hsi-geo", "classify", *arguments, "-o", out]
    start = time.perf_counter()
    subprocess.run([*map(str, command), "--overwrite"], check=True, capture_output=True)
    return time.perf_counter() - start


def spread(seconds: list[float]) -> str:
    """Median, least and greatest, as text."""
    return f"{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"


def commit_of(checkout: Path) -> str:
    """Short hash of a checkout's commit."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
