"""What pixels are compared by where those are joined that are like each other."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

from hsi_geo.arrays import Float32Array

#: Principal components that pixels are compared by: more is noise to a squared distance.
COMPARED = 20


def principal_components(table: Float32Array) -> Float32Array:
    """(N, C) strongest principal components, `COMPARED` at most, of (N, D) numbers of pixels."""
    components = PCA(min(COMPARED, *table.shape), random_state=0)
    with np.errstate(invalid="ignore"):  # shares of the variance, if there is none
        return np.asarray(components.fit_transform(table), np.float32)
