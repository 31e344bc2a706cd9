"""Gain from suggested places: 5 shots a class and 20 suggested labels, compared with 20 random ones.

    python docs/measurements/suggest_evidence.py [SEEDS] [SCENE...] [--data FOLDER]

Both start from the same shots, and are tested on all labelled pixels that are shots of neither. Places are suggested
among the labelled pixels only, since the class of the others is not known. About three minutes a seed and scene.
"""

import argparse
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
import rasterio.features
import shapely

from hsi_geo import adapt, predict, suggest
from hsi_geo.arrays import IntArray
from hsi_geo.io.datasets.benchmark_scenes import BenchmarkScene, load_benchmark_scene
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.artifacts.model import AdaptedModel
from hsi_geo.tasks.benchmarking.protocol import SEEDS, draw_shots, shots_at

SHOTS, MORE = 5, 20
QUIET = SilentReporter()


def main() -> None:
    """Print overall accuracies for each seed, and the mean gain with its standard deviation."""
    parser = argparse.ArgumentParser()
    parser.add_argument("seeds", type=int, nargs="?", default=3)
    parser.add_argument("scenes", nargs="*", default=["indian_pines"])
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    for name in arguments.scenes:
        benchmark = load_benchmark_scene(name, arguments.data)
        gains = []
        for seed in SEEDS[: arguments.seeds]:
            first, suggested, at_random = accuracies(benchmark, seed)
            gains.append(suggested - at_random)
            print(
                f"{name} {seed}: {SHOTS} shots {first:.1f}, + {MORE} suggested {suggested:.1f}, "
                f"+ {MORE} random {at_random:.1f}",
                flush=True,
            )
        spread = f" +- {np.std(gains, ddof=1):.1f}" if len(gains) > 1 else ""
        print(f"{name}: margin {np.mean(gains):+.1f}{spread} points over {len(gains)} seeds")


def accuracies(benchmark: BenchmarkScene, seed: int) -> tuple[float, float, float]:
    """Overall accuracies in per cent: with the first shots, with suggested, with random ones."""
    flat, scene = benchmark.labels.ravel(), benchmark.scene
    drawn = draw_shots(benchmark.labels, SHOTS, seed)
    model = adapt(scene, shots_at(scene, benchmark.labels, drawn), reporter=QUIET)
    suggested = suggest_pixels(benchmark, model)
    left = np.setdiff1d(np.flatnonzero(flat), drawn)
    at_random = np.random.default_rng(seed).choice(left, MORE, replace=False)
    test = np.setdiff1d(left, np.concatenate([suggested, at_random]))
    found = [accuracy(benchmark, model, test)]
    for more in (suggested, at_random):
        shots = shots_at(scene, benchmark.labels, np.union1d(drawn, more))
        found.append(accuracy(benchmark, adapt(scene, shots, reporter=QUIET), test))
    first, second, third = found
    return first, second, third


def suggest_pixels(benchmark: BenchmarkScene, model: AdaptedModel) -> IntArray:
    """(N,) flat indices of suggested pixels; all are labelled."""
    grid = grid_of(benchmark.scene)
    known = (benchmark.labels > 0).astype(np.uint8)
    patches = rasterio.features.shapes(known, known.astype(bool), transform=grid.transform)
    polygons = [shapely.geometry.shape(shape) for shape, _ in patches]
    with tempfile.TemporaryDirectory() as folder:
        area = Path(folder) / "labelled.gpkg"
        gpd.GeoDataFrame(geometry=polygons, crs=grid.crs).to_file(area)
        found = suggest(benchmark.scene, model, count=MORE, aoi=area, reporter=QUIET)
    xy = np.array([(point.x, point.y) for point in found.points])
    rows, cols = grid.pixels_at(xy[:, 0], xy[:, 1])
    return np.asarray(rows * grid.width + cols)


def accuracy(benchmark: BenchmarkScene, model: AdaptedModel, test: IntArray) -> float:
    """Per cent of the test pixels that the model classifies correctly."""
    with tempfile.TemporaryDirectory() as folder:
        result = predict(benchmark.scene, model, out=Path(folder) / "map.tif", reporter=QUIET)
        with rasterio.open(result.paths.classes) as file:
            ids = file.read(1).ravel()
    values = np.array([0, *(c.value or 0 for c in model.classes)])
    return float(100 * (values[ids[test]] == benchmark.labels.ravel()[test]).mean())


if __name__ == "__main__":
    main()
