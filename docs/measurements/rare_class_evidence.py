"""A lake that is mapped from a single shot in a pond: docs/experiments/rare-classes.md.

    python docs/measurements/rare_class_evidence.py DATA

The eastern half of Samson has three pixels of water, the western half a lake. The shots lie in the east. Each row is one
draw of the shots and one seed of the adaptation: share of the lake that is mapped as water, and the mean confidence in the
lake and elsewhere in the west, in per cent.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio

from hsi_geo import Compute, MapOptions, adapt, predict
from hsi_geo.io.datasets.benchmark_scenes import BenchmarkScene, load_benchmark_scene
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.benchmarking.protocol import SEEDS, draw_shots, shots_at

WATER, SHOTS, DRAWS, ADAPTATIONS = 3, 5, 2, 3


@dataclass(frozen=True)
class Lake:
    """How the lake is mapped.

    Attributes:
        water: Share of its pixels that are mapped as water.
        confidence: Mean confidence in it, in per cent.
        elsewhere: Mean confidence in the rest of the west, in per cent.
    """

    water: float
    confidence: float
    elsewhere: float


def main() -> None:
    """Print the table."""
    samson = load_benchmark_scene("samson", sys.argv[1])
    print("| draw | seed | lake mapped as water, % | confidence in the lake, % | elsewhere, % |")
    print("|---|---|---|---|---|")
    for draw in SEEDS[:DRAWS]:
        for seed in range(ADAPTATIONS):
            found = map_lake(samson, draw, seed)
            print(
                f"| {draw} | {seed} | {100 * found.water:.0f} | {found.confidence:.0f} | {found.elsewhere:.0f} |",
                flush=True,
            )


def map_lake(samson: BenchmarkScene, draw: int, seed: int) -> Lake:
    """Draw shots in the east, and map the west.

    Args:
        samson: The scene.
        draw: Seed of the shots.
        seed: Seed of the adaptation.
    """
    labels, middle = samson.labels, samson.labels.shape[1] // 2
    east = np.arange(labels.shape[1]) >= middle
    shots = shots_at(samson.scene, labels, draw_shots(labels * east, SHOTS, draw))
    compute, reporter = Compute(seed=seed), SilentReporter()
    model = adapt(samson.scene[..., middle:], shots, compute=compute, reporter=reporter)
    with tempfile.TemporaryDirectory(prefix="hsi-geo-") as folder:
        paths = predict(
            samson.scene[..., :middle],
            model,
            out=Path(folder) / "map.tif",
            options=MapOptions(confidence=True),
            compute=compute,
            reporter=reporter,
        ).paths
        assert paths.confidence is not None  # asked for above
        with rasterio.open(paths.classes) as file, rasterio.open(paths.confidence) as other:
            ids, confidence = file.read(1), other.read(1)
    lake = labels[:, :middle] == WATER
    (water,) = (one.id for one in model.classes if one.value == WATER)
    return Lake(
        float((ids == water)[lake].mean()),
        float(confidence[lake].mean()),
        float(confidence[~lake].mean()),
    )


if __name__ == "__main__":
    main()
