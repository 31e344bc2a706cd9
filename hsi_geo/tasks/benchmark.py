"""Fair comparison: the field's protocol for drawing shots, and what users pick today."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score, cohen_kappa_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from hsi_geo.io.scene import grid_of
from hsi_geo.io.shots import Shots, make_shots

IntArray = npt.NDArray[np.int64]


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


def score(truth: IntArray, predicted: IntArray) -> Scores:
    """Scores of (N,) predicted classes against (N,) true ones."""
    return Scores(
        oa=float(accuracy_score(truth, predicted)),
        aa=float(balanced_accuracy_score(truth, predicted)),
        kappa=float(cohen_kappa_score(truth, predicted)),
    )


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


def support_vectors(seed: int) -> ClassifierMixin:
    """RBF support-vector machine on standardised spectra."""
    return make_pipeline(StandardScaler(), SVC(C=100.0, random_state=seed))


def random_forest(seed: int) -> ClassifierMixin:
    """Random forest of 300 trees."""
    return RandomForestClassifier(300, n_jobs=-1, random_state=seed)


#: What the tools that users come from run by default, by the name shown.
BASELINES: dict[str, Callable[[int], ClassifierMixin]] = {
    "SVM": support_vectors,
    "random forest": random_forest,
}


def map_with_baseline(
    name: str,
    cube: npt.NDArray[np.floating],
    labels: npt.NDArray[np.integer],
    shots: IntArray,
    seed: int,
) -> IntArray:
    """Fit a baseline on some pixels and name all of them.

    Args:
        name: Key of `BASELINES`.
        cube: (C, H, W) values.
        labels: (H, W) 1..K.
        shots: (N,) flat indices of the pixels to learn from.
        seed: Of the baseline.

    Returns:
        (H, W) class ids.
    """
    spectra = cube.reshape(len(cube), -1).T
    model = BASELINES[name](seed)
    model.fit(spectra[shots], labels.ravel()[shots])
    return np.asarray(model.predict(spectra), np.int64).reshape(labels.shape)
