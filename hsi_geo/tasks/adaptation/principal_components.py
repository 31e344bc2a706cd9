"""Principal components in which the distance of pixels is measured."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

from hsi_geo.arrays import Float32Array
from hsi_geo.tasks.adaptation.feature_cubes import mean_squared_norm

#: Number of components: further components add noise to a squared distance.
COMPONENTS = 20


def principal_components(features: Float32Array) -> Float32Array:
    """Project pixels to their strongest principal components.

    Args:
        features: (N, D) features of the pixels.

    Returns:
        (N, min(`COMPONENTS`, N, D)) components, not whitened, the strongest first.

    Examples:
        >>> import numpy as np
        >>> line = np.outer([1.0, 2.0, 3.0], [3.0, 4.0]).astype(np.float32)
        >>> np.abs(principal_components(line)).round(3).tolist()
        [[5.0, 0.0], [0.0, 0.0], [5.0, 0.0]]
    """
    pca = PCA(min(COMPONENTS, *features.shape), random_state=0)
    with np.errstate(invalid="ignore"):  # explained variance ratios of constant features
        return np.asarray(pca.fit_transform(features), np.float32)


def unit_components(features: Float32Array) -> Float32Array:
    """Strongest principal components of features whose root mean squared norm is made 1.

    Args:
        features: (N, D) features of the pixels.

    Returns:
        (N, min(`COMPONENTS`, N, D)) components.
    """
    return principal_components(features / np.float32(np.sqrt(mean_squared_norm(features))))
