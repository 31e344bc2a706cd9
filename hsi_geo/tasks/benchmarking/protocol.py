"""The protocol of comparisons: choice of shots and test pixels, and accuracy measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr

from hsi_geo.arrays import IntArray
from hsi_geo.io.labels.shots import Shots, make_shots
from hsi_geo.io.scenes.properties import grid_of

Split = Literal["random", "blocked"]

#: Seeds that are used in the few-shot literature (DCFSL, DEMAE).
SEEDS = (1330, 1220, 1336, 1337, 1224, 1236, 1226, 1235, 1233, 1229)

#: Number of blocks of the blocked split along the scene's longer side.
BLOCKS_ALONG = 8

#: Number of confidence bins of the calibration error.
BINS = 15


@dataclass(frozen=True, slots=True)
class Scores:
    """Agreement with reference pixels; each measure is at most 1.

    Attributes:
        oa: Overall accuracy, the share of pixels that are predicted correctly, 0 to 1.
        aa: Average accuracy, the mean over classes of that share, 0 to 1.
        kappa: Cohen's kappa, the agreement beyond chance; it may be negative.
    """

    oa: float
    aa: float
    kappa: float


def draw_shots(labels: npt.NDArray[np.integer], per_class: int, seed: int) -> IntArray:
    """Draw the shots of a run, as the few-shot literature does.

    Args:
        labels: (H, W) classes 1..K, 0 for unlabelled pixels.
        per_class: Number of shots of each class; at most half of the pixels of a class are drawn.
        seed: Seed of the run.

    Returns:
        (N,) flat indices of the shots, class by class.

    Examples:
        >>> import numpy as np
        >>> shots = draw_shots(np.array([[1, 1, 1], [2, 2, 0]]), per_class=1, seed=0)
        >>> np.array([1, 1, 1, 2, 2, 0])[shots].tolist()
        [1, 2]
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
    """Draw shots from some blocks of the scene, with the pixels of the other blocks for testing.

    Half of the blocks that contain labels are for shots. For a class that none of them contains, one of its
    blocks is added, which is then not used for testing.

    Args:
        labels: (H, W) classes 1..K, 0 for unlabelled pixels.
        per_class: Number of shots of each class; at most half of its pixels in those blocks are drawn.
        seed: Seed of the run.

    Returns:
        Flat indices of (N,) shots and (M,) test pixels.
    """
    generator = np.random.default_rng(seed)
    side = max(1, max(labels.shape) // BLOCKS_ALONG)
    rows, cols = np.indices(labels.shape)
    blocks = ((rows // side) * (labels.shape[1] // side + 1) + cols // side).ravel()
    flat = labels.ravel()
    labelled = np.unique(blocks[flat > 0])
    for_shots = set(generator.permutation(labelled)[: len(labelled) // 2].tolist())
    for c in np.unique(flat[flat > 0]):
        of_class = np.unique(blocks[flat == c])
        if not for_shots & set(of_class.tolist()):
            for_shots.add(int(generator.choice(of_class)))
    chosen = np.isin(blocks, sorted(for_shots))
    drawn = []
    for c in np.unique(flat[flat > 0]):
        pixels = np.flatnonzero((flat == c) & chosen)
        count = max(1, min(per_class, len(pixels) // 2))
        drawn.append(generator.choice(pixels, count, replace=False))
    return np.concatenate(drawn), np.flatnonzero((flat > 0) & ~chosen)


def shots_at(scene: xr.DataArray, labels: npt.NDArray[np.integer], chosen: IntArray) -> Shots:
    """Make shots from points at the centres of some pixels.

    Args:
        scene: (band, y, x) array on the grid of the labels.
        labels: (H, W) classes 1..K.
        chosen: (N,) flat indices of labelled pixels.

    Returns:
        The shots; their class values are the labels.
    """
    grid = grid_of(scene)
    rows, cols = np.divmod(chosen, grid.width)
    t, x, y = grid.transform, cols + 0.5, rows + 0.5
    points = shapely.points(t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f)
    return make_shots(gpd.GeoSeries(points, crs=grid.crs), labels.ravel()[chosen].tolist())


def score(truth: IntArray, predicted: IntArray) -> Scores:
    """Compare predicted with true classes.

    Args:
        truth: (N,) true classes.
        predicted: (N,) predicted classes.

    Examples:
        >>> import numpy as np
        >>> score(np.array([1, 1, 1, 2]), np.array([1, 1, 2, 2])).oa
        0.75
    """
    from sklearn.metrics import accuracy_score, cohen_kappa_score, recall_score

    return Scores(
        oa=float(accuracy_score(truth, predicted)),
        aa=float(recall_score(truth, predicted, labels=np.unique(truth), average="macro")),
        kappa=float(cohen_kappa_score(truth, predicted)),
    )


def reliability(
    confidence: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]
) -> list[tuple[float, float, int]]:
    """Compute the reliability diagram of predictions.

    Args:
        confidence: (N,) largest class probability of each pixel, 0 to 1.
        right: (N,) whether the pixel is predicted correctly.

    Returns:
        For each confidence bin with pixels: mean confidence, accuracy, number of pixels.
    """
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
    """Compute the expected calibration error (Guo et al. 2017, arXiv 1706.04599).

    Args:
        bins: Bins of `reliability`.

    Examples:
        >>> round(calibration_error([(0.9, 0.7, 10), (0.5, 0.5, 30)]), 3)
        0.05
    """
    total = sum(count for _, _, count in bins)
    return sum(abs(confidence - accuracy) * count for confidence, accuracy, count in bins) / total
