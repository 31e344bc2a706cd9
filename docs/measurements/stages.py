"""Stages of a cold `classify`, and the time of a report: docs/performance.md.

    python docs/measurements/stages.py DATA [--full] [--report]

DATA is the folder of scenes. Each run is a process of its own; its map's record says how long each stage took. The large scene is Indian
Pines, resampled to 224 bands and repeated to 1000 x 1000 pixels. --report measures `classify` of Indian Pines without and with
``--report`` instead. The processor is limited to AVX2; --full takes all its instructions. Nothing else may run.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import machine
from scaling import run
from scaling_scenes import Scenes

from hsi_geo.tasks.demo import write_inputs

#: Stages that run beside others, by their mark in the record, are no part of the total.
BESIDE = "beside"


def inputs(data: Path, folder: Path) -> dict[str, list[str | Path]]:
    """Arguments of `classify` for each scene."""
    pines, shots, _ = write_inputs(folder)
    berlin, fields = data / "enmap_berlin", data / "simulated_fields"
    scenes = Scenes(folder)
    return {
        "Indian Pines": [pines, "--shots", shots],
        "Berlin": [
            berlin / "EnMAP_BerlinUrbanGradient.bsq",
            *("--shots", berlin / "LandCov_BerlinUrbanGradient.shp", "--class-field", "Level_2"),
        ],
        "fields": [
            fields / "simulated_fields.tif",
            *("--shots", fields / "simulated_fields_shots.gpkg"),
        ],
        "1000 x 1000": [scenes.repeated(10**6, bands=224), "--shots", scenes.shots()],
    }


def show_stages(data: Path, folder: Path) -> None:
    """Print the wall and CPU seconds of each stage and scene."""
    found: dict[str, dict[str, Any]] = {}
    for name, arguments in inputs(data, folder).items():
        out = folder / f"{name}.tif"
        run("classify", *arguments, "--timings", "-o", out)
        found[name] = json.loads(out.with_suffix(".json").read_text())["timings"]
    stages = list(dict.fromkeys(stage for times in found.values() for stage in times))
    stages.sort(
        key=lambda stage: -max(of.get(stage, {}).get("wall_s", 0.0) for of in found.values())
    )
    print(f"| stage | {' | '.join(found)} |\n|---|{'---|' * len(found)}")
    for stage in stages:
        cells = [_cell(times.get(stage)) for times in found.values()]
        mark = (
            " (beside others)"
            if any(of.get(stage, {}).get(BESIDE) for of in found.values())
            else ""
        )
        print(f"| {stage}{mark} | {' | '.join(cells)} |")
    print(
        f"\nWall seconds, and CPU seconds in brackets. {os.cpu_count()} cores; {machine.instructions()}."
    )


def _cell(time: dict[str, float] | None) -> str:
    return "-" if time is None else f"{time['wall_s']:.2f} ({time['cpu_s']:.2f})"


def show_report(folder: Path) -> None:
    """Print the time of `classify` without and with a report."""
    pines, shots, _ = write_inputs(folder)
    print("| command | seconds |\n|---|---|")
    for extra in ([], ["--report"], [], ["--report"]):
        seconds, _ = run(
            "classify", pines, "--shots", shots, *extra, "-o", folder / "map.tif", "--overwrite"
        )
        print(f"| classify {' '.join(extra)} | {seconds:.1f} |", flush=True)
    print(f"\n{os.cpu_count()} cores; {machine.instructions()}.")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--full", action="store_true", help="use all instructions, not only AVX2")
    parser.add_argument("--report", action="store_true", help="measure reports, not stages")
    options = parser.parse_args()
    if not options.full:
        machine.limit_instructions()
    with tempfile.TemporaryDirectory(prefix="hsi-geo-") as name:
        if options.report:
            show_report(Path(name))
        else:
            show_stages(options.data, Path(name))


if __name__ == "__main__":
    main()
