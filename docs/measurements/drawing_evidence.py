"""How accuracy depends on how shots are drawn: docs/accuracy.md.

    python docs/measurements/drawing_evidence.py DATA [SCENE,...] [SEEDS]

Shots are five points a class, as in the benchmark; or squares around points, five of 3 x 3 pixels a class or
one of 5 x 5, clipped to their class; or points of which one in five has the label of another class. The script
prints the overall accuracy in per cent of our method and of classical methods with the same shots. One to two
minutes a scene and seed.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from fewer_bands_evidence import CLASSICAL, SHOTS, accuracies_with_shots
from other_tile_evidence import format_cells

from hsi_geo.io.datasets.benchmark_scenes import CHOSEN_ON, BenchmarkScene, load_benchmark_scene
from hsi_geo.tasks.benchmarking.drawings import DRAWINGS, Drawing
from hsi_geo.tasks.benchmarking.protocol import SEEDS, draw_shots


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
    for title, name, per_class in (
        ("5 points", "points", SHOTS),
        ("5 squares of 3 x 3", "squares", SHOTS),
        ("1 square of 5 x 5", "square", 1),
        ("5 points, 1 of them wrong", "wrong", SHOTS),
    ):
        centres = draw_shots(scene.labels, per_class, seed)
        yield title, DRAWINGS[name](scene, centres, scene.labels, seed)


if __name__ == "__main__":
    main()
