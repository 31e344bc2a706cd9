"""Time and memory of `classify` and `predict` against the size of a job: docs/performance.md.

    python docs/measurements/scaling.py [--pixels 4,5,6,7,8] [--tiles 64:300,128:300] [--plot scaling.png] [--full]

The scene is Indian Pines: repeated to more pixels by a VRT, resampled to fewer or more bands, with classes that k-means
finds in it and shots at random pixels of each class. One thing grows at a time; the others stay at a scene of 145 x 145 pixels,
200 bands, 10 classes and 5 points a class (classify), or at the model of these. A last table compares batches of small tiles
(--tiles side in pixels:number) with one file of the same pixels. The processor is limited to AVX2; --full takes all its instructions. Nothing else may run.
"""

import argparse
import contextlib
import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import machine
import matplotlib as mpl
import psutil
from scaling_scenes import CLASSES, Scenes

#: Power of ten of the pixels from which on only `predict` is measured: `classify` learns from no more pixels, and maps the same.
ONLY_PREDICT = 8

#: Seconds between looks at the memory of a job.
POLL_S = 0.25


@dataclasses.dataclass(frozen=True)
class Job:
    """A measured command.

    Attributes:
        size: What was varied.
        command: "classify" or "predict".
        seconds: Wall time from process start to the end.
        rss_mib: Peak resident memory of its largest process.
    """

    size: int
    command: str
    seconds: float
    rss_mib: float


def run(*arguments: str | Path) -> tuple[float, float]:
    """Run a command of hsi-geo; wall seconds, and peak memory in MiB of the largest of its processes."""
    machine.require_quiet()
    started = time.perf_counter()
    process = psutil.Popen(
        [sys.executable, "-m", "hsi_geo", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    largest = 0
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            family = [process, *process.children(recursive=True)]
            largest = max(largest, *(one.memory_info().rss for one in family))
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(POLL_S)
    seconds = time.perf_counter() - started
    if process.returncode:
        sys.exit(f"failed: {' '.join(map(str, arguments))}")
    return seconds, largest / 2**20


def classify(folder: Path, scene: Path, shots: Path) -> tuple[float, float]:
    """Time of `classify`."""
    return run("classify", scene, "--shots", shots, "-o", folder / "map.tif", "--overwrite")


def predict(folder: Path, scene: Path, model: Path) -> tuple[float, float]:
    """Time of `predict`."""
    return run("predict", scene, "--model", model, "-o", folder / "map.tif", "--overwrite")


def adapt(folder: Path, scene: Path, shots: Path) -> Path:
    """A model, in a time that is not measured."""
    path = folder / "model.safetensors"
    run("adapt", scene, "--shots", shots, "-o", path, "--overwrite")
    return path


def measure(scenes: Scenes, powers: Sequence[int]) -> dict[str, list[Job]]:
    """All jobs, by what grows."""
    folder, found = (
        scenes.folder,
        {name: list[Job]() for name in ("pixels", "bands", "shots", "classes")},
    )

    def add_job(what: str, job: Job) -> None:
        found[what].append(job)
        print(f"{what} {job.size}: {job.command} {job.seconds:.1f} s", file=sys.stderr)

    def add(
        what: str, size: int, scene: Path, shots: Path, *, learnt: bool = True, mapped: bool = True
    ) -> None:
        if learnt:
            add_job(what, Job(size, "classify", *classify(folder, scene, shots)))
        if mapped:
            model = adapt(folder, scenes.scene() if what == "pixels" else scene, shots)
            add_job(what, Job(size, "predict", *predict(folder, scene, model)))

    for power in powers:
        learnt = power < ONLY_PREDICT
        add("pixels", 10**power, scenes.repeated(10**power), scenes.shots(), learnt=learnt)
    for bands in (30, 100, 200, 430):
        add("bands", bands, scenes.scene(bands), scenes.shots())
    for of_class in (1, 10, 100, 1000):
        add(
            "shots",
            of_class * CLASSES,
            scenes.scene(),
            scenes.shots(of_class=of_class),
            mapped=False,
        )
    for classes in (2, 10, 30, 60):
        add("classes", classes, scenes.scene(), scenes.shots(classes))
    return found


def show(found: dict[str, list[Job]]) -> None:
    """Print a table."""
    print(
        "| what grows | size | command | seconds | microseconds a unit | peak RSS, MiB |\n|---|---|---|---|---|---|"
    )
    for what, jobs in found.items():
        for job in jobs:
            each = 1e6 * job.seconds / job.size
            print(
                f"| {what} | {job.size:,} | {job.command} | {job.seconds:.1f} | {each:.3g} | {job.rss_mib:.0f} |"
            )


def show_batches(scenes: Scenes, batches: Sequence[tuple[int, int]]) -> None:
    """Print times of batches of tiles (side in pixels, number), and of one scene with the same pixels."""
    folder = scenes.folder
    model = adapt(folder, scenes.scene(), scenes.shots())
    print(
        "\n| job | seconds | milliseconds a tile | times one scene | peak RSS, MiB |\n|---|---|---|---|---|"
    )
    for side_px, count in batches:
        tiles = sorted(scenes.tiles(side_px, count).iterdir())
        scene = scenes.joined(tiles, side_px)
        one, one_mib = predict(folder, scene, model)
        scene.unlink()

        def show(job: str, seconds: float, mib: float, count: int, one: float | None = one) -> None:
            times = "" if one is None else f"{seconds / one:.2f}"
            print(f"| {job} | {seconds:.1f} | {1e3 * seconds / count:.0f} | {times} | {mib:.0f} |")

        size = f"tiles of {side_px} x {side_px}"
        show(f"predict of one scene, the pixels of {count} {size}", one, one_mib, count)
        half = count // 2
        for part, more in ((half, ()), (count, ()), (count, ("--no-halo",))):
            out = folder / f"maps_{side_px}_{part}{''.join(more)}"
            seconds, mib = run("batch", *tiles[:part], "--model", model, "-o", out, *more)
            name = f"batch of {part} {size}{', without their neighbours' if more else ''}"
            show(name, seconds, mib, part, one if part == count else None)
        shutil.rmtree(tiles[0].parent)


def plot(found: dict[str, list[Job]], path: Path) -> None:
    """A panel for each thing that grows."""
    mpl.use("agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, panels = plt.subplots(
        1, len(found), figsize=(3.2 * len(found), 3), layout="constrained"
    )
    for panel, (what, jobs) in zip(panels, found.items(), strict=True):
        for command in ("classify", "predict"):
            own = [job for job in jobs if job.command == command]
            if own:
                panel.loglog(
                    [job.size for job in own], [job.seconds for job in own], "o-", label=command
                )
        panel.set(xlabel=what, ylabel="seconds")
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_minor_formatter(NullFormatter())  # labels of a short axis would overlap
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        panel.yaxis.set_major_formatter("{x:g}")
        sizes = sorted({job.size for job in jobs})
        panel.set_xticks(sizes, [_tick(size) for size in sizes], fontsize="small")
        panel.grid(alpha=0.3)
        panel.legend()
    figure.savefig(path, dpi=110)


def _tick(size: int) -> str:
    """A number; a power of ten where it would be long."""
    power = len(str(size)) - 1
    return f"$10^{power}$" if size == 10**power and power > 3 else f"{size:,}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", default="4,5,6,7,8", help="powers of ten of the pixels")
    parser.add_argument("--tiles", default="64:300,128:300,256:60", help="side in pixels:number")
    parser.add_argument("--only", choices=("sizes", "batches"), help="one of the two parts")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--full", action="store_true", help="use all instructions, not only AVX2")
    options = parser.parse_args()
    if not options.full:
        machine.limit_instructions()
    with tempfile.TemporaryDirectory(prefix="hsi-geo-") as name:
        scenes = Scenes(Path(name))
        if options.only != "batches":
            found = measure(scenes, [int(power) for power in options.pixels.split(",")])
            show(found)
            if options.plot:
                plot(found, options.plot)
        if options.only != "sizes":
            batches = [side_and_number.split(":") for side_and_number in options.tiles.split(",")]
            show_batches(scenes, [(int(side), int(number)) for side, number in batches])
    print(f"\n{os.cpu_count()} cores; {machine.instructions()}.")


if __name__ == "__main__":
    main()
