"""What pixels are compared by where those are joined that are like each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

#: Principal components that pixels are compared by: more is noise to a squared distance.
COMPARED = 20

FloatArray = npt.NDArray[np.float32]


def principal_components(table: FloatArray) -> FloatArray:
    """(N, C) strongest principal components, `COMPARED` at most, of (N, D) numbers of pixels."""
    components = PCA(min(COMPARED, *table.shape), random_state=0)
    with np.errstate(invalid="ignore"):  # shares of the variance, if there is none
        return np.asarray(components.fit_transform(table), np.float32)
