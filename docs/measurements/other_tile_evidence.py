"""Accuracy on another tile than that of the shots: docs/accuracy.md.

    python docs/measurements/other_tile_evidence.py DATA [SEEDS]

The simulated fields are cut into two halves. The first table is the overall accuracy in the western and in
the eastern half, five shots a class, of models that were adapted to different halves with shots in different
halves, and of classical methods with the same shots. Its last rows are upper bounds for shots in the west: the
scene's best classical method fitted to all labels of the western half, and, of two classifiers on each of the
teacher's feature sets, fitted to the same labels, the one that is best in the east. In the second table the
shots are in one half (west, east, north or south) of each scene, and the other half is mapped. The third table is of
the maps of the fields, for fields with a shot and without. Ten to fifteen minutes a seed.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import torch
import xarray as xr
from scipy.ndimage import label
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from hsi_geo import adapt, predict
from hsi_geo.arrays import BoolArray, Float64Array, IntArray
from hsi_geo.io.datasets.benchmark_scenes import BenchmarkScene, load_benchmark_scene
from hsi_geo.io.scenes.scene import open_scenes
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adapt import DEFAULT_WEIGHTS
from hsi_geo.tasks.adaptation.pixel_features import compute_pixel_features
from hsi_geo.tasks.adaptation.region_cutting import cut_training_regions
from hsi_geo.tasks.artifacts.model import AdaptedModel
from hsi_geo.tasks.artifacts.weights import load_weights
from hsi_geo.tasks.benchmarking.baselines import BASELINES, BaselineFeatures
from hsi_geo.tasks.benchmarking.protocol import SEEDS, draw_shots, shots_at

SHOTS, BEST = 5, "noise-60-g1"

#: The columns of `Crossing.maps`.
METHODS = "hsi-geo | hsi-geo, adapted to both | auto"

#: Further scenes whose halves are mapped.
OTHERS = ("jasper_ridge", "samson", "enmap_berlin", "indian_pines")

#: Half with the shots, and half that is mapped.
WAYS = (("west", "east"), ("east", "west"), ("north", "south"), ("south", "north"))

Halves = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Crossing:
    """Maps of the whole scene, with shots in one half of it.

    Attributes:
        here: (H, W) mask of the half with the shots.
        shots: (n,) flat indices of the shots.
        ours: (H, W) labels predicted by a model that was adapted to that half only.
        both: (H, W) labels predicted by a model that was adapted to both halves.
        autos: (H, W) labels predicted by *auto*, with statistics of both halves.
    """

    here: BoolArray
    shots: IntArray
    ours: IntArray
    both: IntArray
    autos: IntArray

    @property
    def maps(self) -> tuple[IntArray, ...]:
        """The three predictions, in the order of the tables."""
        return self.ours, self.both, self.autos


def main() -> None:
    """Print the tables: means over the seeds."""
    fields = load_benchmark_scene("simulated_fields", Path(sys.argv[1]))
    seeds = SEEDS[: int(sys.argv[2]) if len(sys.argv) > 2 else 3]
    crossings = {way: [cross(fields, seed, way[0]) for seed in seeds] for way in WAYS}
    found = [
        of_seed(fields, seed, west)
        for seed, west in zip(seeds, crossings["west", "east"], strict=True)
    ]
    of_east, of_a_field = best_classifiers(fields)
    print("| adapted to | shots in | west | east |\n|---|---|---|---|")
    for row in found[0]:
        west, east = np.mean([one[row] for one in found], axis=0)
        known = "-" if np.isnan(west) else f"{west:.1f}"  # all labels of the west were taken
        print(f"| {row[0]} | {row[1]} | {known} | {east:.1f} |")
    print(f"| best classifier on any feature set, by hindsight | west | - | {of_east:.1f} |")
    print(f"\n{len(seeds)} seeds; the last two are fitted to all labels of the west.\n")
    print(f"| scene | shots in | mapped | {METHODS} |\n|---|---|---|---|---|---|")
    for name in ("simulated_fields", *OTHERS):
        scene = fields if name == fields.name else load_benchmark_scene(name, Path(sys.argv[1]))
        for way in WAYS:
            crossed = (
                crossings[way] if scene is fields else [cross(scene, s, way[0]) for s in seeds]
            )
            cells = format_cells(of_opposite(crossed, scene.labels))
            print(f"| {name} | {way[0]} | {way[1]} | {cells} |", flush=True)
    print(f"\n| fields | {METHODS} |\n|---|---|---|---|")
    every = [one for crossed in crossings.values() for one in crossed]
    for kind, shares in of_fields(every, fields.labels).items():
        print(f"| {kind} | {format_cells(shares)} |")
    print(
        f"\nAfter all labels of all other fields the best classifier on any feature set reaches {of_a_field:.1f}."
    )


def format_cells(shares: Float64Array) -> str:
    """Shares of a row as cells of a table, in per cent."""
    return " | ".join(f"{share:.1f}" for share in 100 * shares)


def of_seed(fields: BenchmarkScene, seed: int, west: Crossing) -> dict[tuple[str, str], Halves]:
    """Accuracies in both halves, by the halves adapted to and the half with the shots."""
    labels, scene = fields.labels, fields.scene
    middle = labels.shape[1] // 2
    halves = [scene[:, :, :middle], scene[:, :, middle:]]
    found = {
        ("west", "west"): by_half(west.ours, labels, west.shots),
        ("west and east", "west"): by_half(west.both, labels, west.shots),
    }
    drawn = draw_shots(labels, SHOTS, seed)
    model = adapt(halves, shots_at(scene, labels, drawn), reporter=SilentReporter())
    predicted = np.concatenate([predict_labels(half, model) for half in halves], axis=1)
    found["west and east", "west and east"] = by_half(predicted, labels, drawn)
    found["auto", "west"] = by_half(west.autos, labels, west.shots)
    drawn = np.flatnonzero(labels * west.here)
    predicted = classical(BEST, BaselineFeatures(scene.values), labels, drawn, seed)
    found[BEST, "west"] = by_half(predicted, labels, drawn)
    return found


def cross(fields: BenchmarkScene, seed: int, side: str) -> Crossing:
    """Draw shots in one half and map both.

    Args:
        fields: Scene to cut into halves.
        seed: Seed of the shots.
        side: Half with the shots: "west", "east", "north" or "south".
    """
    labels, scene = fields.labels, fields.scene
    rows, cols = (size // 2 for size in labels.shape)
    halves = {
        "west": np.s_[:, :cols],
        "east": np.s_[:, cols:],
        "north": np.s_[:rows, :],
        "south": np.s_[rows:, :],
    }
    here = np.zeros(labels.shape, bool)
    here[halves[side]] = True
    drawn = draw_shots(labels * here, SHOTS, seed)
    tiles = [scene[(..., *half)] for half in (halves[side], halves[dict(WAYS)[side]])]
    ours, both = np.zeros_like(labels), np.zeros_like(labels)
    for predicted, adapted_to in ((ours, tiles[:1]), (both, tiles)):
        model = adapt(adapted_to, shots_at(scene, labels, drawn), reporter=SilentReporter())
        predicted[here] = predict_labels(tiles[0], model).ravel()
        predicted[~here] = predict_labels(tiles[1], model).ravel()
    autos = classical("auto", BaselineFeatures(scene.values), labels, drawn, seed)
    return Crossing(here, drawn, ours, both, autos)


def of_opposite(crossings: list[Crossing], labels: IntArray) -> Float64Array:
    """(3,) accuracy of each method in the half without shots, for classes that have shots."""
    found = []
    for crossed in crossings:
        test = np.isin(labels, labels.ravel()[crossed.shots]) & ~crossed.here
        found.append([(predicted == labels)[test].mean() for predicted in crossed.maps])
    return np.mean(found, axis=0)


def of_fields(crossings: list[Crossing], labels: IntArray) -> dict[str, Float64Array]:
    """(3,) accuracy of each method on fields with a shot, and without."""
    kinds = ("with a shot", "without, in the half with the shots", "without, in the other half")
    right, counts = np.zeros((len(kinds), 3)), np.zeros((len(kinds), 1))
    numbers = numbered_fields(labels)
    for one in crossings:
        test = labels > 0
        test.flat[one.shots] = False
        with_shot = np.isin(numbers, numbers.ravel()[one.shots])
        groups = (with_shot, ~with_shot & one.here, ~with_shot & ~one.here)
        for number, group in enumerate(groups):
            chosen = test & group
            counts[number] += chosen.sum()
            right[number] += [(predicted == labels)[chosen].sum() for predicted in one.maps]
    return dict(zip(kinds, right / counts, strict=True))


def numbered_fields(labels: IntArray) -> IntArray:
    """(H, W) number of each field, a connected region of one class; 0 is none."""
    numbers, count = np.zeros_like(labels), 0
    for value in np.unique(labels[labels > 0]):
        found, more = label(labels == value)
        numbers = np.where(found > 0, found + count, numbers)
        count += more
    return numbers


def best_classifiers(fields: BenchmarkScene) -> tuple[float, float]:
    """Accuracy of the best of the teacher's classifiers, by hindsight.

    Classifiers are the teacher's two kinds, on each of its feature sets of the whole scene.

    Returns:
        Per cent in the east with all labels of the west, and in a tenth of all fields with all
        labels of the others, cross-validated.
    """
    scene, labels = fields.scene, fields.labels
    regions = cut_training_regions(
        open_scenes(scene),
        shots_at(scene, labels, np.flatnonzero(labels)),
        budget_px=labels.size,
        seed=0,
        reporter=SilentReporter(),
    )
    known = regions.labels >= 0
    truth, positions = regions.labels[known], regions.positions_px[known].astype(int)
    west = positions[:, 1] < labels.shape[1] // 2
    field_of = numbered_fields(labels)[positions[:, 0], positions[:, 1]]
    of_east, of_a_field = [], []
    pixels = compute_pixel_features(
        regions, load_weights(DEFAULT_WEIGHTS).encoder, torch.device("cpu")
    )
    for one in pixels.inputs:
        features = one.features[known]
        for classifier in (
            LogisticRegression(C=one.C, max_iter=5000, tol=1e-3),
            LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        ):
            of_east.append(
                classifier.fit(features[west], truth[west]).score(features[~west], truth[~west])
            )
            predicted = cross_val_predict(
                classifier, features, truth, groups=field_of, cv=GroupKFold(10)
            )
            of_a_field.append((predicted == truth).mean())
    return 100 * float(max(of_east)), 100 * float(max(of_a_field))


def classical(
    name: str, pixels: BaselineFeatures, labels: IntArray, shots: IntArray, seed: int
) -> IntArray:
    """(H, W) labels that a classical method predicts with some shots.

    Args:
        name: Name of the method in `BASELINES`.
        pixels: BaselineFeatures of the scene.
        labels: (H, W) labels; only those of the shots are used.
        shots: (n,) flat indices of the shots.
        seed: Seed of the method.
    """
    known = labels.ravel()[shots]
    with threadpool_limits(1):
        given = BASELINES[name](pixels, shots, known, seed)
    return np.asarray(np.unique(known)[given.argmax(axis=1)].reshape(labels.shape))


def predict_labels(scene: xr.DataArray, model: AdaptedModel) -> IntArray:
    """(H, W) predicted labels: the values of the class field."""
    values = np.array([0, *(c.value for c in model.classes)])
    with tempfile.TemporaryDirectory() as folder:
        result = predict(scene, model, out=Path(folder) / "map.tif", reporter=SilentReporter())
        with rasterio.open(result.paths.classes) as file:
            return np.asarray(values[file.read(1)])


def by_half(predicted: IntArray, labels: IntArray, shots: IntArray) -> Halves:
    """Accuracy in per cent on labelled pixels that are no shots; NaN if there are none."""
    test = labels > 0
    test.flat[shots] = False
    middle = labels.shape[1] // 2
    west, east = (
        100 * float((predicted == labels)[:, half][test[:, half]].mean())
        if test[:, half].any()
        else float("nan")
        for half in (slice(0, middle), slice(middle, None))
    )
    return west, east


if __name__ == "__main__":
    main()
