"""How a map of another tile compares with one of the tile that the shots lie in: docs/adaptation.md.

    python examples/other_tile_evidence.py DATA [SEEDS]

The simulated fields are cut in two. Printed is the overall accuracy in the western and in the eastern
half, five shots a class, of models that were adapted to different halves with shots in different halves,
and of the classical recipes on the same shots. What no choice of shots in the west can beat by much is
told last: the scene's best classical recipe fitted to all labels of the western half, and of two heads on
each of the teacher's views, fitted to the same, the one that is best in the east. A second table is of shots
in each of the halves, to the west, east, north and south, and maps of the other one. About five minutes a seed.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import torch
import xarray as xr
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from hsi_geo import adapt, predict
from hsi_geo.io.benchmark_scenes import BenchmarkScene, load_benchmark_scene
from hsi_geo.io.scene import open_scenes
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adapt import DEFAULT_WEIGHTS
from hsi_geo.tasks.adapted import AdaptedModel
from hsi_geo.tasks.baselines import BASELINES, Pixels
from hsi_geo.tasks.plots import cut_plots
from hsi_geo.tasks.protocol import SEEDS, draw_shots, shots_at
from hsi_geo.tasks.views import View, views_of
from hsi_geo.tasks.weights import load_weights

SHOTS, BEST = 5, "noise-60-g1"

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Halves = tuple[float, float]


def main() -> None:
    """Print a table: means over the seeds."""
    fields = load_benchmark_scene("simulated_fields", Path(sys.argv[1]))
    seeds = SEEDS[: int(sys.argv[2]) if len(sys.argv) > 2 else 3]
    found = [of_seed(fields, seed) for seed in seeds]
    print("| adapted to | shots in | west | east |\n|---|---|---|---|")
    for row in found[0]:
        west, east = np.mean([one[row] for one in found], axis=0)
        known = "-" if np.isnan(west) else f"{west:.1f}"  # all labels of the west were taken
        print(f"| {row[0]} | {row[1]} | {known} | {east:.1f} |")
    print(f"| best head on any view, by hindsight | west | - | {best_head(fields):.1f} |")
    print(f"\n{len(seeds)} seeds; the last two are fitted to all labels of the west.\n")
    print("| shots in | mapped | hsi-geo | auto |\n|---|---|---|---|")
    ways = [
        {("west", "east"): (one["west", "west"][1], one["auto", "west"][1])} | across(fields, seed)
        for one, seed in zip(found, seeds, strict=True)
    ]
    for way in ways[0]:
        ours, auto = np.mean([one[way] for one in ways], axis=0)
        print(f"| {way[0]} | {way[1]} | {ours:.1f} | {auto:.1f} |")


def of_seed(fields: BenchmarkScene, seed: int) -> dict[tuple[str, str], Halves]:
    """Accuracies in both halves, by what was adapted and where the shots lie."""
    labels, scene = fields.labels, fields.scene
    middle = labels.shape[1] // 2
    in_west = np.where(np.arange(labels.shape[1]) < middle, labels, 0)
    west, east = scene[:, :, :middle], scene[:, :, middle:]
    here, everywhere = draw_shots(in_west, SHOTS, seed), draw_shots(labels, SHOTS, seed)
    found = {}
    for title, scenes, where, drawn in (
        ("west", west, "west", here),
        ("west and east", [west, east], "west", here),
        ("west and east", [west, east], "west and east", everywhere),
    ):
        model = adapt(scenes, shots_at(scene, labels, drawn), reporter=SilentReporter())
        named = np.concatenate([mapped(half, model) for half in (west, east)], axis=1)
        found[title, where] = by_half(named, labels, drawn)
    pixels = Pixels(scene.values)
    for name, drawn in (("auto", here), (BEST, np.flatnonzero(in_west))):
        found[name, "west"] = by_half(classical(name, pixels, labels, drawn, seed), labels, drawn)
    return found


def across(fields: BenchmarkScene, seed: int) -> dict[tuple[str, str], tuple[float, float]]:
    """Per cent of a half that we and *auto* name right after shots in the opposite one only.

    From the west to the east is told by `of_seed`.
    """
    labels, scene = fields.labels, fields.scene
    rows, cols = (size // 2 for size in labels.shape)
    halves = {
        "west": np.s_[:, :cols],
        "east": np.s_[:, cols:],
        "north": np.s_[:rows, :],
        "south": np.s_[rows:, :],
    }
    pixels = Pixels(scene.values)
    found = {}
    for here, there in (("east", "west"), ("north", "south"), ("south", "north")):
        known = np.zeros_like(labels)
        known[halves[here]] = labels[halves[here]]
        drawn = draw_shots(known, SHOTS, seed)
        shots = shots_at(scene, labels, drawn)
        model = adapt(scene[(..., *halves[here])], shots, reporter=SilentReporter())
        auto = classical("auto", pixels, labels, drawn, seed)[halves[there]]
        truth = labels[halves[there]]
        ours, theirs = (
            100 * float((named == truth)[truth > 0].mean())
            for named in (mapped(scene[(..., *halves[there])], model), auto)
        )
        found[here, there] = ours, theirs
    return found


def best_head(fields: BenchmarkScene) -> float:
    """Per cent of the east that the best head names after all labels of the west.

    Heads are the teacher's two kinds, on each of its views of the whole scene, the east included.
    """
    scene, labels = fields.scene, fields.labels
    plots = cut_plots(
        open_scenes(scene),
        shots_at(scene, labels, np.flatnonzero(labels)),
        budget_px=labels.size,
        all_touched=False,
        seed=0,
        reporter=SilentReporter(),
    )
    views = views_of(plots, load_weights(DEFAULT_WEIGHTS).encoder, torch.device("cpu"))
    known = plots.labels >= 0
    in_west = plots.places_px[:, 1] < labels.shape[1] // 2
    return max(
        named_right(head, view, plots.labels, known & in_west, known & ~in_west)
        for view in views
        for head in (
            LogisticRegression(C=view.strength, max_iter=5000, tol=1e-3),
            LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        )
    )


def named_right(
    head: LogisticRegression | LinearDiscriminantAnalysis,
    view: View,
    labels: IntArray,
    fitted: BoolArray,
    test: BoolArray,
) -> float:
    """Per cent of the test pixels that a head names right, seen in one view."""
    head.fit(view.table[fitted], labels[fitted])
    return 100 * float(head.score(view.table[test], labels[test]))


def classical(name: str, pixels: Pixels, labels: IntArray, shots: IntArray, seed: int) -> IntArray:
    """(H, W) labels that a classical recipe names a scene's pixels by after some shots.

    Args:
        name: Of `BASELINES`.
        pixels: Of the scene.
        labels: (H, W), of which the recipe sees those of the shots.
        shots: (n,) flat indices.
        seed: Of the recipe.
    """
    known = labels.ravel()[shots]
    with threadpool_limits(1):
        given = BASELINES[name](pixels, shots, known, seed)
    return np.asarray(np.unique(known)[given.argmax(axis=1)].reshape(labels.shape))


def mapped(scene: xr.DataArray, model: AdaptedModel) -> IntArray:
    """(H, W) the user's own values of the classes."""
    values = np.array([0, *(c.value for c in model.classes)])
    with tempfile.TemporaryDirectory() as folder:
        result = predict(scene, model, out=Path(folder) / "map.tif", reporter=SilentReporter())
        with rasterio.open(result.paths.classes) as file:
            return np.asarray(values[file.read(1)])


def by_half(named: IntArray, labels: IntArray, shots: IntArray) -> Halves:
    """Per cent of the labelled pixels that were no shots; NaN if all were."""
    test = labels > 0
    test.flat[shots] = False
    middle = labels.shape[1] // 2
    west, east = (
        100 * float((named == labels)[:, half][test[:, half]].mean())
        if test[:, half].any()
        else float("nan")
        for half in (slice(0, middle), slice(middle, None))
    )
    return west, east


if __name__ == "__main__":
    main()
