"""A linear classifier that was fitted to shots.

Letters for shapes: K' classes that have shots, D features, m pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hsi_geo.arrays import Float32Array, Float64Array


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Coefficients of a linear classifier.

    Attributes:
        coefficients: (K', D) coefficients.
        intercepts: (K',) intercepts.
    """

    coefficients: Float64Array
    intercepts: Float64Array

    def scores(self, features: Float32Array) -> Float64Array:
        """Scores of the classes; the highest is the predicted class.

        Args:
            features: (m, D) features.

        Returns:
            (m, K') scores.
        """
        # Single precision: features are no more exact, and a product in double precision would copy them.
        coefficients = self.coefficients.astype(np.float32)
        return np.asarray(features @ coefficients.T + self.intercepts, np.float64)
