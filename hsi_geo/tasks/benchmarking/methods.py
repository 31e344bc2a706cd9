"""Names of the baselines, as plain values: importing them imports no scikit-learn."""

from __future__ import annotations

#: Standard deviations of the Gaussian filters of the grids, in features.
SIGMAS_PX = (0, 1, 2, 4)

#: Numbers of principal components, and of noise-whitened components, of the grids.
PCA_COMPONENTS, NOISE_COMPONENTS = (10, 30, 120), (20, 60)

#: Names of grids of methods, and the methods in each.
GROUPS = {
    "pca": [f"pca-{k}-g{g}" for k in PCA_COMPONENTS for g in SIGMAS_PX],
    "noise": [f"noise-{k}-g{g}" for k in NOISE_COMPONENTS for g in SIGMAS_PX],
}

#: Baselines that are not in a grid.
SINGLE = ("svm", "random-forest", "logistic-regression", "auto")

#: Names of all baselines: keys of `baselines.BASELINES`.
BASELINE_NAMES = (*SINGLE, *(name for group in GROUPS.values() for name in group))
