"""The protocol of comparisons: which pixels are shots, which are test, and how maps are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr
from sklearn.metrics import accuracy_score, cohen_kappa_score, recall_score

from hsi_geo.arrays import IntArray
from hsi_geo.io.labels.shots import Shots, make_shots
from hsi_geo.io.scenes.properties import grid_of

Split = Literal["random", "blocked"]

#: The seeds that the few-shot literature shares (DCFSL, DEMAE).
SEEDS = (1330, 1220, 1336, 1337, 1224, 1236, 1226, 1235, 1233, 1229)

#: Sides of the blocks of the blocked split, as a share of the scene's longer side.
BLOCKS_ALONG = 8

#: Bins of confidence that calibration is measured in.
BINS = 15


@dataclass(frozen=True, slots=True)
class Scores:
    """Agreement with reference pixels, each from 0 to 1 (kappa may be negative).

    Attributes:
        oa: Overall accuracy: share of pixels named right.
        aa: Average accuracy: mean over classes of the share named right.
        kappa: Cohen's kappa: agreement beyond chance.
    """

    oa: float
    aa: float
    kappa: float


def draw_shots(labels: npt.NDArray[np.integer], per_class: int, seed: int) -> IntArray:
    """Draw the shots of one run, the way the few-shot literature does.

    Args:
        labels: (H, W) 1..K, 0 where nothing is known.
        per_class: Shots a class; a class with fewer than twice as many pixels gives half.
        seed: Of the run.

    Returns:
        (N,) flat indices, class by class.
    """
    generator = np.random.default_rng(seed)
    flat = labels.ravel()
    drawn = []
    for c in np.unique(flat[flat > 0]):
        pixels = np.flatnonzero(flat == c)
        drawn.append(generator.choice(pixels, min(per_class, len(pixels) // 2), replace=False))
    return np.concatenate(drawn)


def draw_blocked(
    labels: npt.NDArray[np.integer], per_class: int, seed: int
) -> tuple[IntArray, IntArray]:
    """Draw shots from some blocks of the scene, to be tested on the others.

    Half of the blocks that hold labels are for shots. A class that lies in none of them gets one
    of its own, which then is no longer tested on.

    Args:
        labels: (H, W) 1..K, 0 where nothing is known.
        per_class: Shots a class, at most half of its pixels in those blocks.
        seed: Of the run.

    Returns:
        Flat indices of (N,) shots and (M,) test pixels.
    """
    generator = np.random.default_rng(seed)
    side = max(1, max(labels.shape) // BLOCKS_ALONG)
    rows, cols = np.indices(labels.shape)
    blocks = ((rows // side) * (labels.shape[1] // side + 1) + cols // side).ravel()
    flat = labels.ravel()
    known = np.unique(blocks[flat > 0])
    for_shots = set(generator.permutation(known)[: len(known) // 2].tolist())
    for c in np.unique(flat[flat > 0]):
        own = np.unique(blocks[flat == c])
        if not for_shots & set(own.tolist()):
            for_shots.add(int(generator.choice(own)))
    chosen = np.isin(blocks, sorted(for_shots))
    drawn = []
    for c in np.unique(flat[flat > 0]):
        pixels = np.flatnonzero((flat == c) & chosen)
        count = max(1, min(per_class, len(pixels) // 2))
        drawn.append(generator.choice(pixels, count, replace=False))
    return np.concatenate(drawn), np.flatnonzero((flat > 0) & ~chosen)


def shots_at(scene: xr.DataArray, labels: npt.NDArray[np.integer], chosen: IntArray) -> Shots:
    """Points in the middle of some pixels, as a user would draw them.

    Args:
        scene: On the labels' grid.
        labels: (H, W) 1..K.
        chosen: (N,) flat indices of labelled pixels.

    Returns:
        The shots; classes carry the labels as the user's own integers.
    """
    grid = grid_of(scene)
    rows, cols = np.divmod(chosen, grid.width)
    t, x, y = grid.transform, cols + 0.5, rows + 0.5
    points = shapely.points(t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f)
    return make_shots(gpd.GeoSeries(points, crs=grid.crs), labels.ravel()[chosen].tolist())


def score(truth: IntArray, predicted: IntArray) -> Scores:
    """Scores of (N,) predicted classes against (N,) true ones."""
    return Scores(
        oa=float(accuracy_score(truth, predicted)),
        aa=float(recall_score(truth, predicted, labels=np.unique(truth), average="macro")),
        kappa=float(cohen_kappa_score(truth, predicted)),
    )


def reliability(
    confidence: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]
) -> list[tuple[float, float, int]]:
    """Mean confidence, share named right and number of pixels in each bin that has any."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        (
            float(confidence[bins == b].mean()),
            float(right[bins == b].mean()),
            int((bins == b).sum()),
        )
        for b in np.unique(bins)
    ]


def calibration_error(bins: Sequence[tuple[float, float, int]]) -> float:
    """Expected calibration error (Guo et al. 2017, arXiv 1706.04599) of `reliability`."""
    total = sum(count for _, _, count in bins)
    return sum(abs(said - was) * count for said, was, count in bins) / total
