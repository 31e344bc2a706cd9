"""Accuracy with fewer bands: docs/accuracy.md.

    python docs/measurements/fewer_bands_evidence.py DATA [SCENE,...] [SEEDS]

Each benchmark scene is cut to the bands of a sensor without SWIR, of one without VNIR, and to every eighth band.
The script prints the overall accuracy in per cent, five shots a class, of our method and of classical methods with
the same shots. About three minutes a scene and seed.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from other_tile_evidence import classical, format_cells, predict_labels

from hsi_geo import adapt
from hsi_geo.arrays import IntArray
from hsi_geo.io.datasets.benchmark_scenes import CHOSEN_ON, BenchmarkScene, load_benchmark_scene
from hsi_geo.io.labels.shots import Shots
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.benchmarking.baselines import BaselineFeatures
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
            found = np.mean([accuracies_of_seed(fewer, seed) for seed in seeds], axis=0)
            print(f"| {name} | {title}: {scene.shape[0]} | {format_cells(found)} |", flush=True)


def with_fewer_bands(scene: xr.DataArray) -> Iterator[tuple[str, xr.DataArray]]:
    """Name of each choice of bands, and the (C, H, W) scene with them."""
    centres = scene.wavelength.values
    yield "400 to 1000 nm", scene[(centres >= 400) & (centres <= 1000)]
    yield "1000 to 2500 nm", scene[centres > 1000]
    yield "every eighth", scene[np.argsort(centres)[::8]]


def accuracies_of_seed(benchmark: BenchmarkScene, seed: int) -> list[float]:
    """Accuracy of each method with the shots of a seed; see `accuracies_with_shots`."""
    drawn = draw_shots(benchmark.labels, SHOTS, seed)
    shots = shots_at(benchmark.scene, benchmark.labels, drawn)
    return accuracies_with_shots(benchmark, shots, drawn, benchmark.labels, seed)


def accuracies_with_shots(
    benchmark: BenchmarkScene, shots: Shots, drawn: IntArray, given: IntArray, seed: int
) -> list[float]:
    """Accuracy on the labelled pixels that are no shots, from 0 to 1: ours, then the classical methods'.

    Args:
        benchmark: Scene with its true labels.
        shots: Shots for our method.
        drawn: (n,) flat indices of their pixels, for the classical methods.
        given: (H, W) labels of these pixels, which may be wrong.
        seed: Seed of the classical methods.
    """
    scene, labels = benchmark.scene, benchmark.labels
    maps = [predict_labels(scene, adapt(scene, shots, reporter=SilentReporter()))]
    pixels = BaselineFeatures(scene.values.astype(np.float64))
    maps += [classical(name, pixels, given, drawn, seed) for name in CLASSICAL]
    test = labels > 0
    test.flat[drawn] = False
    return [float((predicted == labels)[test].mean()) for predicted in maps]


if __name__ == "__main__":
    main()
