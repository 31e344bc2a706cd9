"""How accuracy depends on how shots are drawn: docs/accuracy.md.

    python docs/measurements/drawing_evidence.py DATA [SCENE,...] [SEEDS]

Shots are five points a class, as in the benchmark; or squares around points, five of 3 x 3 pixels a class or
one of 5 x 5, clipped to their class; or points of which one in five has the label of another class. The script
prints the overall accuracy in per cent of our method and of classical methods with the same shots. One to two
minutes a scene and seed.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from fewer_bands_evidence import CLASSICAL, SHOTS, accuracies_with_shots
from other_tile_evidence import format_cells
from shapely.affinity import affine_transform

from hsi_geo.arrays import IntArray
from hsi_geo.io.datasets.benchmark_scenes import CHOSEN_ON, BenchmarkScene, load_benchmark_scene
from hsi_geo.io.labels.shots import Shots, make_shots
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.tasks.benchmarking.protocol import SEEDS, draw_shots, shots_at


@dataclass(frozen=True, eq=False)
class Drawing:
    """The same shots for our method and for classical methods.

    Attributes:
        shots: Points or polygons, for our method.
        pixels: (n,) flat indices of their pixels, for classical methods.
        labels: (H, W) labels: those of the shots at their pixels, elsewhere the truth.
    """

    shots: Shots
    pixels: IntArray
    labels: IntArray


def main() -> None:
    """Print a table: means over the seeds."""
    data = Path(sys.argv[1])
    names = sys.argv[2].split(",") if len(sys.argv) > 2 else [*CHOSEN_ON, "samson"]
    seeds = SEEDS[: int(sys.argv[3]) if len(sys.argv) > 3 else 3]
    print(f"| scene | shots of a class | hsi-geo | {' | '.join(CLASSICAL)} |")
    print("|---|" + "---|" * (2 + len(CLASSICAL)))
    for name in names:
        scene = load_benchmark_scene(name, data)
        found: dict[str, list[list[float]]] = {}
        for seed in seeds:
            for title, drawing in drawings(scene, seed):
                accuracies = accuracies_with_shots(
                    scene, drawing.shots, drawing.pixels, drawing.labels, seed
                )
                found.setdefault(title, []).append(accuracies)
        for title, of_seeds in found.items():
            print(f"| {name} | {title} | {format_cells(np.mean(of_seeds, axis=0))} |", flush=True)


def drawings(scene: BenchmarkScene, seed: int) -> Iterator[tuple[str, Drawing]]:
    """Name of each way to draw shots, and shots drawn so."""
    labels = scene.labels
    pixels = draw_shots(labels, SHOTS, seed)
    yield "5 points", Drawing(shots_at(scene.scene, labels, pixels), pixels, labels)
    yield "5 squares of 3 x 3", squares(scene, SHOTS, 1, seed)
    yield "1 square of 5 x 5", squares(scene, 1, 2, seed)
    yield "5 points, 1 of them wrong", with_wrong_labels(scene, seed)


def squares(scene: BenchmarkScene, per_class: int, reach_px: int, seed: int) -> Drawing:
    """Squares around drawn points, without the pixels that are not of the point's class.

    Args:
        scene: Scene with labels.
        per_class: Number of squares for each class.
        reach_px: Pixels from the point's pixel to the edge of the square.
        seed: Seed of the points.
    """
    labels, grid = scene.labels, grid_of(scene.scene)
    rows, cols = np.indices(labels.shape)
    inside, polygons, names = np.zeros(labels.shape, bool), [], []
    for centre in draw_shots(labels, per_class, seed):
        row, col = divmod(int(centre), grid.width)
        near = np.maximum(abs(rows - row), abs(cols - col)) <= reach_px
        square = near & (labels == labels[row, col])
        top, left = np.nonzero(square)
        polygon = shapely.union_all(shapely.box(left, top, left + 1, top + 1))
        polygons.append(affine_transform(polygon, grid.transform.to_shapely()))
        names.append(int(labels[row, col]))
        inside |= square
    shots = make_shots(gpd.GeoSeries(polygons, crs=grid.crs), names)
    return Drawing(shots, np.flatnonzero(inside), labels)


def with_wrong_labels(scene: BenchmarkScene, seed: int) -> Drawing:
    """Points, of which one of each class has the label of another class."""
    labels = scene.labels
    pixels = draw_shots(labels, SHOTS, seed)
    generator = np.random.default_rng(seed)
    given, classes = labels.copy(), np.unique(labels[labels > 0])
    for c in classes:
        wrong = generator.choice(pixels[labels.flat[pixels] == c])
        given.flat[wrong] = generator.choice(classes[classes != c])
    return Drawing(shots_at(scene.scene, given, pixels), pixels, given)


if __name__ == "__main__":
    main()
