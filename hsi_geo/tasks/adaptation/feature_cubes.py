"""Features of training regions as cubes, from which those of pixels with more or less spatial context follow.

Letters for shapes: N pixels of all regions, D features of a pixel, h rows and w columns of a region with its margin.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
from scipy.ndimage import gaussian_filter

from hsi_geo.arrays import BoolArray, Float32Array

#: Mean squared norm of a pixel's features, to which whitened features are scaled.
SQUARED_NORM = 60.0

#: Standard deviation in pixels of the Gaussian filter of the classifiers' inputs.
FILTER_PX = 1.0


class SpatialContext(Enum):
    """How the surroundings of a pixel contribute to its features."""

    PIXEL = "not at all"
    GAUSSIAN = "by a Gaussian filter"
    SUPERPIXEL = "by the mean over a superpixel"


#: Standard deviations in pixels of the Gaussian filters with which the familiarity of pixels is computed. A
#: wide filter replaces superpixels, whose means differ so much that most pixels would be unfamiliar.
FAMILIARITY_FILTER_PX = {
    SpatialContext.PIXEL: 0.0,
    SpatialContext.GAUSSIAN: FILTER_PX,
    SpatialContext.SUPERPIXEL: 4.0,
}


class FeatureCubes:
    """Features of each region with its margin, from which those with more spatial context follow.

    Args:
        cubes: (D, h, w) features of each region.
        valid: (h, w) whether a pixel has data, of each region.
        inside: (h, w) whether a pixel belongs to the region and has data, of each region; N pixels in all.
    """

    def __init__(
        self, cubes: list[Float32Array], valid: list[BoolArray], inside: list[BoolArray]
    ) -> None:
        self.cubes = cubes
        self.valid = valid
        self.inside = inside
        self._filtered: dict[float, Float32Array] = {}

    def filtered(self, sigma_px: float) -> Float32Array:
        """(N, D) features after a Gaussian filter, of a mean squared norm of `SQUARED_NORM`; they are kept.

        Args:
            sigma_px: Standard deviation of the filter in pixels; 0 filters nothing.
        """
        if sigma_px not in self._filtered:
            found = filter_pixels(self.cubes, self.valid, self.inside, sigma_px)
            self._filtered[sigma_px] = rescale(found)
        return self._filtered[sigma_px]


def filter_pixels(
    cubes: list[Float32Array],
    valid: list[BoolArray],
    inside: list[BoolArray],
    sigma_px: float,
) -> Float32Array:
    """Average features over the surroundings of each pixel; pixels without data are ignored.

    Args:
        cubes: (D, h, w) features of each region's padded window.
        valid: (h, w) whether a pixel has data, of each region.
        inside: (h, w) which pixels are returned, of each region; N in all.
        sigma_px: Standard deviation of the Gaussian filter in pixels; 0 filters nothing.

    Returns:
        (N, D) features.
    """
    parts = []
    for cube, has_data, selected in zip(cubes, valid, inside, strict=True):
        smooth = cube
        if sigma_px > 0:
            sigma = (0.0, sigma_px, sigma_px)
            weight = gaussian_filter(has_data.astype(np.float32), sigma_px)
            smooth = gaussian_filter(cube * has_data, sigma) / np.maximum(weight, 1e-6)
        parts.append(smooth[:, selected].T)
    return np.concatenate(parts)


def rescale(features: Float32Array) -> Float32Array:
    """Multiply all features by one factor, so that their mean squared norm is `SQUARED_NORM`.

    Args:
        features: (N, D) features.
    """
    return np.asarray(features * np.float32(np.sqrt(SQUARED_NORM / mean_squared_norm(features))))


def mean_squared_norm(features: Float32Array) -> float:
    """Mean squared Euclidean norm of the rows, at least 1e-30.

    Args:
        features: (N, D) features.
    """
    return max(float(np.einsum("nd,nd->n", features, features).mean(dtype=np.float64)), 1e-30)
