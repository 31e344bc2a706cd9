"""How well pixels of a class without shots are rejected, beside other ways to reject.

    python docs/measurements/reject_evidence.py DATA [SEEDS [SCENE ...]] > docs/results/reject.md

Each class of Indian Pines, Jasper Ridge, the fields and Berlin is left out of the shots in turn. The table has the
recall: the share of its pixels that are rejected when 5 per cent of the other classes' pixels are. Ways to reject:

- familiarity: that of `classify`, by --reject,
- largest probability: that of `classify`, by --min-confidence,
- Mahalanobis: distance to the nearest class mean, with the shrunk covariance (Ledoit and Wolf 2004) that classes share,
- one-class SVM: that of scikit-learn with an RBF kernel, gamma "scale", nu 0.1, on all shots.

The last two have the features that the classifiers of `adapt` learn from and that familiarity is measured in: for each
spatial context one feature set, one beside the other.

The last two columns have what --reject auto does: the share of the other classes' pixels that it rejects, which should be
about 5 per cent, and its recall. All numbers are per cent, means over classes and seeds.
"""

import sys
from collections.abc import Mapping
from unittest import mock

import numpy as np
import numpy.typing as npt
import torch
from sklearn.covariance import LedoitWolf
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from hsi_geo import adapt
from hsi_geo.io.datasets.benchmark_scenes import CHOSEN_ON, BenchmarkScene, load_benchmark_scene
from hsi_geo.io.scenes.properties import bands_of, select_good_bands
from hsi_geo.models.classifier import band_map
from hsi_geo.models.window_inference import WindowGridNetwork
from hsi_geo.tasks.adaptation import prepared
from hsi_geo.tasks.adaptation.feature_sets import PixelFeatures
from hsi_geo.tasks.adaptation.pixel_features import compute_pixel_features
from hsi_geo.tasks.artifacts.model import AdaptedModel
from hsi_geo.tasks.benchmarking.protocol import SEEDS, draw_shots, shots_at
from hsi_geo.tasks.inference.rejection import REJECT_BELOW
from hsi_geo.tasks.inference.sliding_window import SlidingWindow

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SHOTS, FALSE_REJECTION = 5, 0.05

WAYS = ("familiarity", "largest probability", "Mahalanobis", "one-class SVM")


def main() -> None:
    """Print a row for each scene."""
    data, seeds = sys.argv[1], SEEDS[: int(sys.argv[2]) if len(sys.argv) > 2 else 1]
    print(f"| scene | {' | '.join(WAYS)} | auto: wrongly rejected | auto: recall |")
    print("|---|" + "---|" * (len(WAYS) + 2))
    for name in sys.argv[3:] or CHOSEN_ON:
        benchmark = load_benchmark_scene(name, data)
        found = [row for seed in seeds for row in each_class(benchmark, seed)]
        shares = np.mean([[*recalls, *auto] for recalls, auto in found], axis=0)
        print(f"| {name} | " + " | ".join(f"{100 * one:.1f}" for one in shares) + " |", flush=True)


def each_class(benchmark: BenchmarkScene, seed: int) -> list[tuple[list[float], list[float]]]:
    """For each class that is left out: recall by way, and what ``auto`` rejects wrongly and rightly."""
    flat = benchmark.labels.ravel()
    drawn = draw_shots(benchmark.labels, SHOTS, seed)
    test = np.setdiff1d(np.flatnonzero(flat), drawn)
    found = []
    for left_out in np.unique(flat[flat > 0]):
        shots = drawn[flat[drawn] != left_out]
        unknown = flat[test] == left_out
        model, features = adapted(benchmark, shots)
        scores = {**of_map(benchmark, model), **of_features(features, shots, flat[shots])}
        recalls = []
        for way in WAYS:
            score = scores[way][test]
            least = np.quantile(score[~unknown], FALSE_REJECTION)
            recalls.append(float((score[unknown] < least).mean()))
        below = scores["familiarity"][test] < (model.record["found"][REJECT_BELOW] or 0.0)
        found.append((recalls, [float(below[~unknown].mean()), float(below[unknown].mean())]))
    return found


def adapted(benchmark: BenchmarkScene, shots: Ints) -> tuple[AdaptedModel, Floats]:
    """A model, and the (H * W, D) features that its classifiers learnt from."""
    kept: list[PixelFeatures] = []
    compute = compute_pixel_features

    def keep(*arguments: object, **keywords: object) -> PixelFeatures:
        kept.append(compute(*arguments, **keywords))  # type: ignore[arg-type]
        return kept[-1]

    scene = benchmark.scene
    with mock.patch.object(prepared, "compute_pixel_features", keep):
        model = adapt(scene, shots_at(scene, benchmark.labels, shots))
    filtered = kept[0].feature_sets.filtered
    columns = np.concatenate([StandardScaler().fit_transform(one) for one in filtered.values()], 1)
    positions = np.asarray(kept[0].positions_px, np.int64)
    everywhere = np.full((benchmark.labels.size, columns.shape[1]), np.nan)
    everywhere[positions[:, 0] * benchmark.labels.shape[1] + positions[:, 1]] = columns
    return model, everywhere


def of_map(benchmark: BenchmarkScene, model: AdaptedModel) -> Mapping[str, Floats]:
    """(H * W,) familiarity and largest probability, as a map has them."""
    view = select_good_bands(benchmark.scene)
    bands = band_map(model.classifier.backbone.config, model.spectral, bands_of(view).centres_nm)
    network = WindowGridNetwork.for_classifier(
        model.classifier, bands, model.tiling.stride_px, torch.device("cpu")
    )
    sliding = SlidingWindow(view, model.tiling, network, len(model.classes))
    block = sliding.block(benchmark.scene.hsi.grid.window)[0]
    probabilities = block.reshape(len(block), -1).astype(np.float64)
    return {
        "familiarity": probabilities.sum(axis=0),
        "largest probability": probabilities.max(axis=0),
    }


def of_features(features: Floats, shots: Ints, labels: Ints) -> Mapping[str, Floats]:
    """(H * W,) scores of the other ways, high for pixels like the shots."""
    at_shots = features[shots]
    means = np.stack([at_shots[labels == c].mean(axis=0) for c in np.unique(labels)])
    within = at_shots - means[np.searchsorted(np.unique(labels), labels)]
    covariance = LedoitWolf(assume_centered=True).fit(within)
    root = np.linalg.cholesky(covariance.precision_)
    distance = np.linalg.norm((features[:, None] - means[None]) @ root, axis=2).min(axis=1)
    machine = OneClassSVM(gamma="scale", nu=0.1).fit(at_shots)
    return {"Mahalanobis": -distance, "one-class SVM": machine.decision_function(features)}


if __name__ == "__main__":
    main()
