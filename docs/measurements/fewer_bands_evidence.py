"""How accuracy holds on sensors of fewer bands: docs/accuracy.md.

    python docs/measurements/fewer_bands_evidence.py DATA [SCENE,...] [SEEDS]

Each benchmark scene is seen as a sensor without SWIR, one without VNIR, and one with every eighth band would.
Printed is the overall accuracy in per cent, five shots a class, of our method and the classical ones on the same
shots. About three minutes a scene and seed.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from other_tile_evidence import classical, in_cells, mapped

from hsi_geo import adapt
from hsi_geo.arrays import IntArray
from hsi_geo.io.datasets.benchmark_scenes import CHOSEN_ON, BenchmarkScene, load_benchmark_scene
from hsi_geo.io.labels.shots import Shots
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.benchmarking.baselines import Pixels
from hsi_geo.tasks.benchmarking.protocol import SEEDS, draw_shots, shots_at

SHOTS, CLASSICAL = 5, ("auto", "svm", "random-forest", "logistic-regression")


def main() -> None:
    """Print a table: means over the seeds."""
    data = Path(sys.argv[1])
    names = sys.argv[2].split(",") if len(sys.argv) > 2 else list(CHOSEN_ON)
    seeds = SEEDS[: int(sys.argv[3]) if len(sys.argv) > 3 else 3]
    print(f"| scene | bands | hsi-geo | {' | '.join(CLASSICAL)} |")
    print("|---|" + "---|" * (2 + len(CLASSICAL)))
    for name in names:
        benchmark = load_benchmark_scene(name, data)
        for title, scene in with_fewer_bands(benchmark.scene):
            fewer = BenchmarkScene(name, scene, benchmark.labels)
            found = np.mean([of_seed(fewer, seed) for seed in seeds], axis=0)
            print(f"| {name} | {title}: {scene.shape[0]} | {in_cells(found)} |", flush=True)


def with_fewer_bands(scene: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """(C, H, W) scene as other sensors would see it, beside what they are."""
    centres = scene.wavelength.values
    yield "400 to 1000 nm", scene[(centres >= 400) & (centres <= 1000)]
    yield "1000 to 2500 nm", scene[centres > 1000]
    yield "every eighth", scene[np.argsort(centres)[::8]]


def of_seed(benchmark: BenchmarkScene, seed: int) -> list[float]:
    """What each method names right after shots of a seed: see `of_shots`."""
    drawn = draw_shots(benchmark.labels, SHOTS, seed)
    shots = shots_at(benchmark.scene, benchmark.labels, drawn)
    return of_shots(benchmark, shots, drawn, benchmark.labels, seed)


def of_shots(
    benchmark: BenchmarkScene, shots: Shots, drawn: IntArray, called: IntArray, seed: int
) -> list[float]:
    """Shares of the labelled pixels that were no shots: ours, then the classical ones'.

    Args:
        benchmark: The scene.
        shots: As our method gets them.
        drawn: (n,) flat indices of their pixels.
        called: (H, W) what those are called.
        seed: Of the classical methods.
    """
    scene, labels = benchmark.scene, benchmark.labels
    maps = [mapped(scene, adapt(scene, shots, reporter=SilentReporter()))]
    pixels = Pixels(scene.values.astype(np.float64))
    maps += [classical(name, pixels, called, drawn, seed) for name in CLASSICAL]
    test = labels > 0
    test.flat[drawn] = False
    return [float((named == labels)[test].mean()) for named in maps]


if __name__ == "__main__":
    main()
