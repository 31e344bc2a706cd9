"""Places to label next: uncertain pixels that differ from each other.

Letters for shapes: N candidates, K classes, D features of a candidate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsi_geo.arrays import AnyArray, BoolArray, Float32Array, Float64Array, IntArray
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.labels.suggested_points import SuggestedPoint

#: Side in pixels of the patch around a suggested place: a single pixel is hard to find outdoors.
PATCH_PX = 3

#: Most candidates: the most uncertain pixels.
CANDIDATES = 20_000


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pixels that may be suggested.

    Attributes:
        rows: (N,) row of each.
        cols: (N,) column of each.
        uncertainty: (N,) uncertainty of the patch around each, 0 to 1.
        probabilities: (N, K) class probabilities of each.
    """

    rows: IntArray
    cols: IntArray
    uncertainty: Float32Array
    probabilities: Float32Array

    def pick(self, chosen: AnyArray) -> Candidates:
        """Select some of them.

        Args:
            chosen: (N,) mask, or indices.
        """
        return Candidates(
            self.rows[chosen],
            self.cols[chosen],
            self.uncertainty[chosen],
            self.probabilities[chosen],
        )


def patch_uncertainty(probabilities: Float32Array) -> Float32Array:
    """Uncertainty of the patch around each pixel.

    It is 1 minus the margin between the two largest probabilities, averaged over the patch, times the share of the
    patch that has the class of its centre.

    Args:
        probabilities: (K, H, W) class probabilities, 0 where there is no data.

    Returns:
        (H, W) uncertainty, 0 to 1.
    """
    from scipy.ndimage import uniform_filter

    ordered = np.sort(probabilities, axis=0)
    known = ordered[-1] > 0
    single = np.where(known, 1.0 - (ordered[-1] - ordered[-2]), 0.0).astype(np.float32)
    guess = np.where(known, probabilities.argmax(axis=0), -1)
    same_class = np.zeros(guess.shape, np.float32)
    for c in np.unique(guess[known]):
        here = (guess == c).astype(np.float32)
        same_class += here * uniform_filter(here, PATCH_PX, mode="constant")
    return np.asarray(
        np.where(known, uniform_filter(single, PATCH_PX, mode="constant") * same_class, 0.0),
        np.float32,
    )


def most_uncertain(
    uncertainty: Float32Array, probabilities: Float32Array, count: int
) -> Candidates:
    """The pixels of an image whose patches are the most uncertain.

    Args:
        uncertainty: (H, W) uncertainty of the patch around each pixel, 0 to 1.
        probabilities: (K, H, W) class probabilities.
        count: Greatest number of pixels; those that are certain are left out.

    Examples:
        >>> found = most_uncertain(np.float32([[0.0, 0.5, 0.75]]), np.ones((2, 1, 3), np.float32), 5)
        >>> found.cols.tolist(), found.probabilities.shape
        ([2, 1], (2, 2))
    """
    order = np.argsort(-uncertainty, axis=None, kind="stable")[:count]
    rows, cols = np.unravel_index(order, uncertainty.shape)
    known = uncertainty[rows, cols] > 0
    rows, cols = rows[known], cols[known]
    return Candidates(rows, cols, uncertainty[rows, cols], probabilities[:, rows, cols].T)


def mean_of_patches(
    image: Float32Array, valid: BoolArray, rows: IntArray, cols: IntArray
) -> Float32Array:
    """Mean spectra of the patches around some pixels.

    Args:
        image: (C, H, W) values, of which those that are not valid do not count.
        valid: (H, W) whether a pixel has data.
        rows: (N,) rows of the pixels.
        cols: (N,) columns of the pixels.

    Returns:
        (N, C) means.
    """
    from scipy.ndimage import uniform_filter  # other jobs do not need it

    weight = np.maximum(uniform_filter(valid.astype(np.float32), PATCH_PX), 1e-6)
    found = np.empty((len(rows), len(image)), np.float32)
    for band, values in enumerate(image):
        found[:, band] = (uniform_filter(values * valid, PATCH_PX) / weight)[rows, cols]
    return found


def place_features(
    spectra: Float32Array | Float64Array, probabilities: Float32Array
) -> Float32Array:
    """Features in which candidates are clustered: spectra of mean square 1, and roots of probabilities.

    Args:
        spectra: (N, C) spectra of the candidates' patches.
        probabilities: (N, K) their class probabilities.

    Returns:
        (N, C + K) features.
    """
    norm = max(float(np.sqrt((spectra**2).sum(axis=1).mean())), 1e-12)
    return np.concatenate([spectra / norm, np.sqrt(probabilities)], axis=1).astype(np.float32)


def choose_places(
    candidates: Candidates, features: Float32Array, count: int, seed: int
) -> IntArray:
    """Find the candidate nearest to the centre of each cluster, most uncertain clusters first.

    The most uncertain candidate of each cluster is worse: docs/experiments/suggested-places.md.

    Args:
        candidates: N candidates.
        features: (N, D) features that are clustered.
        count: Number of places.
        seed: Seed of the first cluster centres.

    Returns:
        Indices of the chosen candidates, at most ``count``.
    """
    from sklearn.cluster import KMeans

    distinct = len(np.unique(features, axis=0))
    clusters = KMeans(min(count, distinct), n_init=4, random_state=seed)
    of_cluster = clusters.fit_predict(features, sample_weight=candidates.uncertainty)
    distances = np.linalg.norm(features - clusters.cluster_centers_[of_cluster], axis=1)
    present = np.unique(of_cluster)
    total = [float(candidates.uncertainty[of_cluster == c].sum()) for c in present]
    chosen = []
    for c in present[np.argsort(-np.array(total), kind="stable")]:
        members = np.flatnonzero(of_cluster == c)
        chosen.append(int(members[distances[members].argmin()]))
    return np.array(chosen)


def suggested_points(
    x: Float64Array, y: Float64Array, class_ids: AnyArray, percent: AnyArray, classes: ClassTable
) -> tuple[SuggestedPoint, ...]:
    """The places with what the map shows there.

    Args:
        x: (N,) coordinates of the places, the most helpful first.
        y: (N,) the same.
        class_ids: (N,) class of each in the map. Of two levels of classes it is not always the most probable one.
        percent: (N,) confidence of each in per cent.
        classes: Class table of the map.

    Examples:
        >>> from hsi_geo.io.labels.shots import LandClass
        >>> table = (LandClass(1, "rye", "#111111"), LandClass(2, "oats", "#222222"))
        >>> suggested_points(np.array([5.0]), np.array([7.0]), np.array([2]), np.array([61]), table)
        (SuggestedPoint(rank=1, x=5.0, y=7.0, guess='oats', confidence=61),)
    """
    return tuple(
        SuggestedPoint(rank, float(east), float(north), classes[int(class_id) - 1].name, int(share))
        for rank, (east, north, class_id, share) in enumerate(
            zip(x, y, class_ids, percent, strict=True), start=1
        )
    )
