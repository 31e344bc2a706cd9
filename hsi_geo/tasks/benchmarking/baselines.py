"""Baselines: common classifiers, and the best classical methods for few shots.

Each baseline is a function of a scene's precomputed features, so that the methods of a grid share them. The
methods combine whitened principal components or noise-whitened components (minimum noise fraction, Green et al.
1988, doi 10.1109/36.3001; `models.whitening`), a Gaussian filter, and logistic regression.

Letters for shapes: N pixels, C bands, n shots, K classes.
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
from hsi_geo.tasks.benchmarking.methods import NOISE_COMPONENTS, PCA_COMPONENTS, SIGMAS_PX

#: Inverse regularisation strengths of logistic regression in the grids and in *auto*.
GRID_C, AUTO_C = 10.0, 1.0


class BaselineFeatures:
    """Features of a scene's pixels, each computed once.

    Args:
        cube: (C, H, W) finite physical values.

    Attributes:
        shape: (H, W) of the scene.
        spectra: (N, C) values of the features.
        components: Function from kind, number and standard deviation of a filter to (N, count) components.
    """

    def __init__(self, cube: npt.NDArray[np.number]) -> None:
        self.shape = cube.shape[1:]
        self.spectra = cube.reshape(len(cube), -1).T.astype(np.float64)  # (N, C)
        self.components = cache(self._components)

    @cached_property
    def standard(self) -> Float64Array:
        """(N, C) standardised bands, without constant bands."""
        varies = self.spectra.std(axis=0) > 0
        return np.asarray(StandardScaler().fit_transform(self.spectra[:, varies]))

    @cached_property
    def _principal(self) -> Float64Array:
        """(N, C) whitened principal components, the strongest first."""
        left, _, _ = np.linalg.svd(self.standard, full_matrices=False)
        return np.asarray(left * np.sqrt(len(left)))

    @cached_property
    def _noise(self) -> Float64Array:
        """(N, C) noise-whitened components, those with the highest signal-to-noise ratio first."""
        return noise_components(self.standard.reshape(*self.shape, -1)).reshape(
            len(self.standard), -1
        )

    def _components(self, kind: str, count: int, sigma_px: int) -> Float64Array:
        """(N, count) components of a kind, "pca" or "noise", after a Gaussian filter."""
        features = (self._principal if kind == "pca" else self._noise)[:, :count]
        if not sigma_px:
            return features
        cube = features.reshape(*self.shape, -1)
        return np.asarray(gaussian_filter(cube, (sigma_px, sigma_px, 0))).reshape(features.shape)


#: From features, (n,) flat indices of shots, their (n,) labels and a seed to (N, K) probabilities, in the order of
#: the sorted labels.
Baseline = Callable[[BaselineFeatures, IntArray, IntArray, int], Float64Array]


def _spectra_classifier(make: Callable[[int], ClassifierMixin]) -> Baseline:
    def baseline(
        features: BaselineFeatures, shots: IntArray, labels: IntArray, seed: int
    ) -> Float64Array:
        model = make(seed).fit(features.spectra[shots], labels)
        return np.asarray(model.predict_proba(features.spectra))

    return baseline


def _svm(features: BaselineFeatures, shots: IntArray, labels: IntArray, seed: int) -> Float64Array:
    """One-hot predictions: probabilities of an SVM need another model, and are slow."""
    model = SVC(C=100.0, random_state=seed).fit(features.standard[shots], labels)
    predicted = model.predict(features.standard)
    return np.asarray(predicted[:, None] == np.unique(labels)[None, :], np.float64)


def _logistic(
    features: BaselineFeatures, shots: IntArray, labels: IntArray, seed: int
) -> Float64Array:
    model = LogisticRegression(C=GRID_C, max_iter=2000)
    model.fit(features.standard[shots], labels)
    return np.asarray(model.predict_proba(features.standard))


def _grid(kind: str, count: int, sigma_px: int) -> Baseline:
    def baseline(
        features: BaselineFeatures, shots: IntArray, labels: IntArray, seed: int
    ) -> Float64Array:
        components = features.components(kind, count, sigma_px)
        model = LogisticRegression(C=GRID_C, max_iter=2000)
        return np.asarray(model.fit(components[shots], labels).predict_proba(components))

    return baseline


def _auto(features: BaselineFeatures, shots: IntArray, labels: IntArray, seed: int) -> Float64Array:
    """Noise-whitened components after four filters, averaged by cross-validated likelihood."""
    filtered = [features.components("noise", max(NOISE_COMPONENTS), sigma) for sigma in SIGMAS_PX]
    likelihood = np.array([_cv_log_likelihood(part[shots], labels, seed) for part in filtered])
    weights = np.exp(len(labels) * (likelihood - likelihood.max()) / 4)
    predictions = [
        LogisticRegression(C=AUTO_C, max_iter=2000).fit(part[shots], labels).predict_proba(part)
        for part in filtered
    ]
    return np.asarray(np.tensordot(weights / weights.sum(), np.stack(predictions), axes=1))


def _cv_log_likelihood(features: Float64Array, labels: IntArray, seed: int) -> float:
    """Mean log-likelihood of stratified cross-validation; probabilities are clipped at 1e-3."""
    smallest = int(np.unique(labels, return_counts=True)[1].min())
    if smallest < 2:
        return 0.0
    order = np.unique(labels)
    folds = StratifiedKFold(int(np.clip(smallest, 2, 5)), shuffle=True, random_state=seed)
    found = np.empty(len(labels))
    for train, test in folds.split(features, labels):
        model = LogisticRegression(C=AUTO_C, max_iter=2000)
        model.fit(features[train], labels[train])
        probabilities = model.predict_proba(features[test])
        found[test] = probabilities[np.arange(len(test)), np.searchsorted(order, labels[test])]
    return float(np.log(np.maximum(found, 1e-3)).mean())


#: Baselines by their names in `results.json`.
BASELINES: dict[str, Baseline] = {
    "svm": _svm,
    "random-forest": _spectra_classifier(
        lambda seed: RandomForestClassifier(300, n_jobs=-1, random_state=seed)
    ),
    "logistic-regression": _logistic,
    "auto": _auto,
    **{f"pca-{k}-g{g}": _grid("pca", k, g) for k in PCA_COMPONENTS for g in SIGMAS_PX},
    **{f"noise-{k}-g{g}": _grid("noise", k, g) for k in NOISE_COMPONENTS for g in SIGMAS_PX},
}
