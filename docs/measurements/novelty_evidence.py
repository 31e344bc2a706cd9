"""How well low confidence detects pixels of a class without shots.

    python docs/measurements/novelty_evidence.py [SEEDS]

Each class of Indian Pines is left out of the shots in turn. The area under the ROC curve is the
probability that one of its pixels has a lower confidence than a pixel of a class with shots. It is
printed for the map of `classify` and for the largest probability of *auto*.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from sklearn.metrics import roc_auc_score

from hsi_geo import MapOptions, adapt, predict
from hsi_geo.io.datasets.benchmark_scenes import BenchmarkScene, load_benchmark_scene
from hsi_geo.tasks.benchmarking.baselines import BASELINES, BaselineFeatures
from hsi_geo.tasks.benchmarking.protocol import SEEDS, draw_shots, shots_at

SHOTS = 5


def main() -> None:
    """Print both areas for each seed, as means over the classes."""
    seeds = SEEDS[: int(sys.argv[1]) if len(sys.argv) > 1 else 3]
    benchmark = load_benchmark_scene("indian_pines", None)
    flat, pixels = benchmark.labels.ravel(), BaselineFeatures(benchmark.scene.values)
    found = []
    for seed in seeds:
        drawn = draw_shots(benchmark.labels, SHOTS, seed)
        test = np.setdiff1d(np.flatnonzero(flat), drawn)
        areas = []
        for left_out in np.unique(flat[flat > 0]):
            shots = drawn[flat[drawn] != left_out]
            unknown = flat[test] == left_out
            auto = BASELINES["auto"](pixels, shots, flat[shots], seed).max(axis=1)
            ours = confidence(benchmark, shots)
            areas.append([roc_auc_score(unknown, -score[test]) for score in (ours, auto)])
        found.append(np.mean(areas, axis=0))
        print(f"seed {seed}: hsi-geo {found[-1][0]:.3f}, auto {found[-1][1]:.3f}", flush=True)
    ours, auto = np.mean(found, axis=0)
    print(f"mean: hsi-geo {ours:.3f}, auto {auto:.3f}")


def confidence(benchmark: BenchmarkScene, shots: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(H * W,) confidence in per cent, as in MAP_confidence.tif."""
    scene = benchmark.scene
    model = adapt(scene, shots_at(scene, benchmark.labels, shots))
    with tempfile.TemporaryDirectory() as folder:
        result = predict(
            scene, model, out=Path(folder) / "map.tif", options=MapOptions(confidence=True)
        )
        assert result.paths.confidence is not None  # asked for above
        with rasterio.open(result.paths.confidence) as file:
            return np.asarray(file.read(1).ravel(), np.float64)


if __name__ == "__main__":
    main()
