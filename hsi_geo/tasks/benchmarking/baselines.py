"""What users pick today, and the strongest classical recipes known for few shots.

Each is a function of a scene's prepared tables, so that a grid of recipes prepares them once.
Sources of the recipes: whitening by principal components; noise whitening, the minimum noise
fraction (Green et al. 1988, doi 10.1109/36.3001), in `models.whitening`; Gaussian filters of the
result; logistic regression.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from hsi_geo.arrays import Float64Array, IntArray
from hsi_geo.models.whitening import noise_components

#: Gaussian filters in pixels, and numbers of components, of the grids.
SIGMAS_PX = (0, 1, 2, 4)
PRINCIPAL, NOISE = (10, 30, 120), (20, 60)

#: Of the heads of the grids and of *auto*.
GRID_STRENGTH, AUTO_STRENGTH = 10.0, 1.0


class Pixels:
    """A scene's pixels as the recipes see them; what is costly is made once.

    Args:
        cube: (C, H, W) finite values.
    """

    def __init__(self, cube: npt.NDArray[np.number]) -> None:
        self.shape = cube.shape[1:]
        self.spectra = cube.reshape(len(cube), -1).T.astype(np.float64)  # (N, C)
        self.components = cache(self._components)

    @cached_property
    def standard(self) -> Float64Array:
        """(N, C) standardised bands; those that do not vary are left out."""
        varies = self.spectra.std(axis=0) > 0
        return np.asarray(StandardScaler().fit_transform(self.spectra[:, varies]))

    @cached_property
    def _principal(self) -> Float64Array:
        """(N, C) components of unit variance, the strongest first."""
        left, _, _ = np.linalg.svd(self.standard, full_matrices=False)
        return np.asarray(left * np.sqrt(len(left)))

    @cached_property
    def _noise(self) -> Float64Array:
        """(N, C) directions by their signal to noise, the strongest first."""
        return noise_components(self.standard.reshape(*self.shape, -1)).reshape(
            len(self.standard), -1
        )

    def _components(self, kind: str, count: int, sigma_px: int) -> Float64Array:
        """(N, count) components of a kind ("pca" or "noise") through a filter."""
        table = (self._principal if kind == "pca" else self._noise)[:, :count]
        if not sigma_px:
            return table
        cube = table.reshape(*self.shape, -1)
        return np.asarray(gaussian_filter(cube, (sigma_px, sigma_px, 0))).reshape(table.shape)


#: From pixels, (n,) flat indices of shots, their (n,) labels and a seed to (N, K) probabilities,
#: in the order of the sorted labels.
Baseline = Callable[[Pixels, IntArray, IntArray, int], Float64Array]


def _of_spectra(make: Callable[[int], ClassifierMixin]) -> Baseline:
    def baseline(pixels: Pixels, shots: IntArray, labels: IntArray, seed: int) -> Float64Array:
        model = make(seed).fit(pixels.spectra[shots], labels)
        return np.asarray(model.predict_proba(pixels.spectra))

    return baseline


def _support_vectors(pixels: Pixels, shots: IntArray, labels: IntArray, seed: int) -> Float64Array:
    """One-hot: probabilities of an SVM are another model's, and slow."""
    model = SVC(C=100.0, random_state=seed).fit(pixels.standard[shots], labels)
    named = model.predict(pixels.standard)
    return np.asarray(named[:, None] == np.unique(labels)[None, :], np.float64)


def _logistic(pixels: Pixels, shots: IntArray, labels: IntArray, seed: int) -> Float64Array:
    head = LogisticRegression(C=GRID_STRENGTH, max_iter=2000)
    head.fit(pixels.standard[shots], labels)
    return np.asarray(head.predict_proba(pixels.standard))


def _grid(kind: str, count: int, sigma_px: int) -> Baseline:
    def baseline(pixels: Pixels, shots: IntArray, labels: IntArray, seed: int) -> Float64Array:
        table = pixels.components(kind, count, sigma_px)
        head = LogisticRegression(C=GRID_STRENGTH, max_iter=2000)
        return np.asarray(head.fit(table[shots], labels).predict_proba(table))

    return baseline


def _auto(pixels: Pixels, shots: IntArray, labels: IntArray, seed: int) -> Float64Array:
    """Noise-whitened components in four contexts, weighted by held-out likelihood."""
    tables = [pixels.components("noise", max(NOISE), sigma) for sigma in SIGMAS_PX]
    likelihood = np.array([_held_out(table[shots], labels, seed) for table in tables])
    weights = np.exp(len(labels) * (likelihood - likelihood.max()) / 4)
    heads = [
        LogisticRegression(C=AUTO_STRENGTH, max_iter=2000)
        .fit(table[shots], labels)
        .predict_proba(table)
        for table in tables
    ]
    return np.asarray(np.tensordot(weights / weights.sum(), np.stack(heads), axes=1))


def _held_out(table: Float64Array, labels: IntArray, seed: int) -> float:
    """Mean log-likelihood, clipped at 1e-3, under stratified cross-validation."""
    smallest = int(np.unique(labels, return_counts=True)[1].min())
    if smallest < 2:
        return 0.0
    order = np.unique(labels)
    folds = StratifiedKFold(int(np.clip(smallest, 2, 5)), shuffle=True, random_state=seed)
    found = np.empty(len(labels))
    for learn, test in folds.split(table, labels):
        head = LogisticRegression(C=AUTO_STRENGTH, max_iter=2000).fit(table[learn], labels[learn])
        probabilities = head.predict_proba(table[test])
        found[test] = probabilities[np.arange(len(test)), np.searchsorted(order, labels[test])]
    return float(np.log(np.maximum(found, 1e-3)).mean())


#: By the names of `results.json`.
BASELINES: dict[str, Baseline] = {
    "svm": _support_vectors,
    "random-forest": _of_spectra(
        lambda seed: RandomForestClassifier(300, n_jobs=-1, random_state=seed)
    ),
    "logistic-regression": _logistic,
    "auto": _auto,
    **{f"pca-{k}-g{g}": _grid("pca", k, g) for k in PRINCIPAL for g in SIGMAS_PX},
    **{f"noise-{k}-g{g}": _grid("noise", k, g) for k in NOISE for g in SIGMAS_PX},
}

#: Names that stand for several methods.
GROUPS = {
    "pca": [name for name in BASELINES if name.startswith("pca-")],
    "noise": [name for name in BASELINES if name.startswith("noise-")],
}
