"""How accuracy hangs on how shots are drawn: docs/accuracy.md.

    python docs/measurements/drawing_evidence.py DATA [SCENE,...] [SEEDS]

Five points a class, as in the benchmark; squares around points, five of 3 x 3 pixels a class and one of
5 x 5, clipped to their class; and points of which one in five bears another class's name. Printed is the
overall accuracy in per cent of our method and the classical ones on the same shots. One to two minutes a
scene and seed.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from fewer_bands_evidence import CLASSICAL, SHOTS, of_shots
from other_tile_evidence import in_cells
from shapely.affinity import affine_transform

from hsi_geo.arrays import IntArray
from hsi_geo.io.datasets.benchmark_scenes import CHOSEN_ON, BenchmarkScene, load_benchmark_scene
from hsi_geo.io.labels.shots import Shots, make_shots
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.tasks.benchmarking.protocol import SEEDS, draw_shots, shots_at


@dataclass(frozen=True, eq=False)
class Drawing:
    """Some shots as our method gets them, and as the classical ones do.

    Attributes:
        shots: Points or polygons.
        pixels: (n,) flat indices of their pixels.
        called: (H, W) what those pixels are called; elsewhere the truth.
    """

    shots: Shots
    pixels: IntArray
    called: IntArray


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
                shares = of_shots(scene, drawing.shots, drawing.pixels, drawing.called, seed)
                found.setdefault(title, []).append(shares)
        for title, of_seeds in found.items():
            print(f"| {name} | {title} | {in_cells(np.mean(of_seeds, axis=0))} |", flush=True)


def drawings(scene: BenchmarkScene, seed: int) -> Iterator[tuple[str, Drawing]]:
    """Ways to draw shots, beside what they are."""
    labels = scene.labels
    pixels = draw_shots(labels, SHOTS, seed)
    yield "5 points", Drawing(shots_at(scene.scene, labels, pixels), pixels, labels)
    yield "5 squares of 3 x 3", squares(scene, SHOTS, 1, seed)
    yield "1 square of 5 x 5", squares(scene, 1, 2, seed)
    yield "5 points, 1 of them wrong", with_wrong_ones(scene, seed)


def squares(scene: BenchmarkScene, per_class: int, reach_px: int, seed: int) -> Drawing:
    """Squares around drawn points, without the pixels that are not of the point's class.

    Args:
        scene: To draw on.
        per_class: How many.
        reach_px: From the point to the square's edge, not counting the point's own pixel.
        seed: Draws the points.
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


def with_wrong_ones(scene: BenchmarkScene, seed: int) -> Drawing:
    """Points, of which one of each class bears the name of another."""
    labels = scene.labels
    pixels = draw_shots(labels, SHOTS, seed)
    generator = np.random.default_rng(seed)
    called, classes = labels.copy(), np.unique(labels[labels > 0])
    for c in classes:
        wrong = generator.choice(pixels[labels.flat[pixels] == c])
        called.flat[wrong] = generator.choice(classes[classes != c])
    return Drawing(shots_at(scene.scene, called, pixels), pixels, called)


if __name__ == "__main__":
    main()
