"""Pixel classifier: S2Former with a linear head, and the frozen band statistics resampled to a scene's bands.

Letters for shapes: C bands of a scene, T bands of the statistics, K classes.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from hsi_geo.arrays import BoolArray, Float32Array, Float64Array, IntArray
from hsi_geo.models.s2former import S2Former
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.models.wavelength_axis import BandMap, resample_to_axis
from hsi_geo.models.whitening import SpectralStats
from hsi_geo.wavelengths import interpolation_matrix

#: Assignment cost of two bands that lie too far apart, far above the squared distance of any close pair.
UNMATCHED_COST_NM2 = 1e9

#: Share of a standardised band's variance that is taken as not shared with any other band.
UNSHARED_VARIANCE = 1e-4


class Classifier(nn.Module):
    """S2Former with a linear head: logits for every pixel of a window.

    The last logit is that of "unlike any shot". Its softmax output takes a share of the probability, so
    that all classes become unlikely where the scene shows something that no shot represents.

    Args:
        config: Shape of the S2Former.
        classes: K, number of classes.
    """

    def __init__(self, config: S2FormerConfig, classes: int) -> None:
        super().__init__()
        self.backbone = S2Former(config)
        self.head = nn.Linear(config.width, classes + 1)

    def forward(self, image: Tensor, valid: Tensor, bands: BandMap) -> Tensor:
        """Compute the logits of every pixel.

        Args:
            image: (B, C, H, W) float32 physical values.
            valid: (B, H, W) bool, whether a pixel has data.
            bands: Map from the C bands to the wavelength axis.

        Returns:
            (B, K + 1, H, W) logits.
        """
        return self.classify(self.backbone(image, valid, bands))

    def classify(self, features: Tensor) -> Tensor:
        """Apply the linear head.

        Args:
            features: (B, D, H, W) features of the backbone.

        Returns:
            (B, K + 1, H, W) logits.
        """
        logits: Tensor = self.head(features.movedim(1, -1))
        return logits.movedim(-1, 1)

    def with_class_order(self, order: Sequence[int] | IntArray) -> Classifier:
        """Copy the classifier, with its outputs in another order.

        Args:
            order: (K,) index of the present output that moves to each position; the logit of "unlike any
                shot" stays last.
        """
        other = copy.deepcopy(self)
        rows = [*map(int, order), len(order)]
        with torch.no_grad():
            other.head.weight.copy_(self.head.weight[rows])
            other.head.bias.copy_(self.head.bias[rows])
        return other

    @staticmethod
    def probabilities(logits: Tensor) -> Tensor:
        """Convert logits to class probabilities.

        Args:
            logits: (B, K + 1, H, W) logits.

        Returns:
            (B, K, H, W) probabilities of the classes. They sum to 1 minus the probability of "unlike any
            shot".

        Examples:
            >>> Classifier.probabilities(torch.zeros(1, 3, 1, 1)).flatten().tolist()
            [0.3333333432674408, 0.3333333432674408]
        """
        return logits.softmax(dim=1)[:, :-1]


@dataclass(frozen=True, eq=False)
class ResampledStats:
    """A classifier's statistics for the bands x of another scene: ``matrix @ (x - centre)`` whitens them.

    Attributes:
        matrix: (T, C) map to the classifier's own noise-whitened bands.
        centre: (C,) mean of each band in the scene that the classifier was adapted to.
        std: (C,) standard deviation there; 0 for bands that lie outside the classifier's range.
        whitened_std: (T,) standard deviation there of the whitened bands.
    """

    matrix: Float64Array
    centre: Float64Array
    std: Float64Array
    whitened_std: Float64Array

    def whiten(self, spectra: Float32Array) -> Float64Array:
        """Whiten spectra of the scene. The mean, which is whitened likewise, is not subtracted.

        Args:
            spectra: (C, N) physical values.

        Returns:
            (T, N) values of the classifier's own bands.
        """
        return self.matrix @ spectra.astype(np.float64)


def resample_stats(spectral: SpectralStats, centres_nm: Float64Array) -> ResampledStats:
    """Transfer a classifier's statistics to the bands of a scene.

    Args:
        spectral: The classifier's own bands and statistics.
        centres_nm: (C,) band centres of the scene in nm, increasing.

    Examples:
        >>> import numpy as np
        >>> from hsi_geo.models.whitening import Whitening
        >>> whitening = Whitening(np.array([3.0, 5.0]), np.eye(2), np.array([[4.0, 1.0], [1.0, 9.0]]))
        >>> spectral = SpectralStats(np.array([500.0, 600.0]), np.array([10.0, 10.0]), whitening)
        >>> resample_stats(spectral, np.array([500.0, 600.0])).std.tolist()
        [2.0, 3.0]
    """
    whitening = spectral.whitening
    variance = np.einsum(
        "ij,jk,ik->i", whitening.matrix, whitening.covariance, whitening.matrix, optimize=True
    )
    whitened_std = np.sqrt(np.maximum(variance, 0.0))
    if np.array_equal(centres_nm, spectral.centres_nm):
        std = np.sqrt(np.maximum(np.diagonal(whitening.covariance), 0.0))
        return ResampledStats(whitening.matrix, whitening.centre, std, whitened_std)
    resampling = _resampling_matrix(centres_nm, spectral)
    variance = np.einsum("ij,jk,ik->i", resampling, whitening.covariance, resampling, optimize=True)
    return ResampledStats(
        whitening.matrix @ _conditional_mean_matrix(resampling, whitening.covariance),
        resampling @ whitening.centre,
        np.sqrt(np.maximum(variance, 0.0)),
        whitened_std,
    )


def estimate_bands(
    spectral: SpectralStats,
    centres_nm: Float64Array,
    known: BoolArray,
    values: Float64Array,
    steps: Float64Array,
) -> tuple[Float64Array, Float64Array]:
    """Estimate bands of a scene from its others, by the statistics of a classifier.

    Args:
        spectral: The classifier's own bands and statistics.
        centres_nm: (C,) band centres of the scene in nm, increasing.
        known: (C,) True for the L bands that the others are estimated from.
        values: (L, N) physical values of these bands.
        steps: (C,) steps to which the values of each band are rounded, in physical values; 0 for none.

    Returns:
        expected: (C - L, N) conditional means of the other bands.
        deviation: (C - L,) standard deviations of the bands from these, where the classifier was adapted and
            with values that are rounded.

    Examples:
        >>> import numpy as np
        >>> from hsi_geo.models.whitening import Whitening
        >>> whitening = Whitening(np.array([3.0, 5.0]), np.eye(2), np.array([[1.0, 1.8], [1.8, 4.0]]))
        >>> spectral = SpectralStats(np.array([500.0, 600.0]), np.array([10.0, 10.0]), whitening)
        >>> expected, deviation = estimate_bands(
        ...     spectral, spectral.centres_nm, np.array([True, False]), np.array([[4.0]]), np.zeros(2)
        ... )
        >>> expected.round(1).tolist(), deviation.round(2).tolist()
        ([[6.8]], [0.87])
    """
    resampling = _resampling_matrix(centres_nm, spectral)
    covariance = resampling @ spectral.whitening.covariance @ resampling.T
    centre = resampling @ spectral.whitening.centre
    scale = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    scale[scale == 0] = 1.0
    correlation = covariance / scale[:, None] / scale[None, :]
    shared = correlation[np.ix_(known, ~known)]
    variance = correlation[np.ix_(known, known)] + UNSHARED_VARIANCE * np.eye(int(known.sum()))
    weights = np.linalg.solve(variance, shared)
    standardised = (values - centre[known, None]) / scale[known, None]
    expected = centre[~known, None] + scale[~known, None] * (weights.T @ standardised)
    left = np.diagonal(correlation)[~known] - np.einsum("ij,ij->j", weights, shared)
    rounding = np.square(steps / scale) / 12  # variance of a uniform distribution
    rounded = rounding[~known] + np.square(weights).T @ rounding[known]
    return expected, scale[~known] * np.sqrt(np.maximum(left, UNSHARED_VARIANCE) + rounded)


def band_map(
    config: S2FormerConfig,
    spectral: SpectralStats,
    centres_nm: Float64Array,
    missing: BoolArray | None = None,
) -> BandMap:
    """Combine whitening and resampling into one affine map from a scene's values to the network's axis.

    The scene's bands are mapped to the bands of the statistics, whitened, and resampled to the axis.

    Args:
        config: Shape of the S2Former.
        spectral: The classifier's own bands and statistics.
        centres_nm: (C,) band centres of the scene in nm, increasing.
        missing: (C,) True for bands whose values are not used, as if the scene lacked them; None for none.

    Returns:
        The map for (B, C, H, W) images of the scene.
    """
    if missing is not None and missing.any():
        return band_map(config, spectral, centres_nm[~missing]).with_unused(missing)
    axis = resample_to_axis(config, spectral.centres_nm, spectral.fwhm_nm)
    # The centre that is subtracted first is near the scene's values, so that no digits are lost.
    stats = resample_stats(spectral, centres_nm)
    return axis.compose(_tensor(stats.matrix), _tensor(stats.centre))


def _resampling_matrix(centres_nm: Float64Array, spectral: SpectralStats) -> Float64Array:
    """(C, T) weights of the statistics' bands in each band of a scene.

    A band is identified with a band of the statistics if its centre lies within half a width, because
    whitening would amplify the blur of interpolation. Where detectors overlap and bands lie close
    together, the assignment matches as many bands as possible, in order. Other bands are interpolated
    between two; bands beyond the ends have no weights.
    """
    own = spectral.centres_nm
    distance = np.abs(centres_nm[:, None] - own[None, :])
    matrix = interpolation_matrix(own, centres_nm)
    far = distance > spectral.fwhm_nm / 2
    # Squared costs keep the order: of two possible pairings the crossed one costs more.
    bands, matches = linear_sum_assignment(np.where(far, UNMATCHED_COST_NM2, distance**2))
    close = ~far[bands, matches]
    matrix[(centres_nm < own[0]) | (centres_nm > own[-1])] = 0.0
    matrix[bands[close]] = 0.0
    matrix[bands[close], matches[close]] = 1.0
    return matrix


def _conditional_mean_matrix(resampling: Float64Array, covariance: Float64Array) -> Float64Array:
    """(T, C) estimate of the statistics' centred bands from a scene's centred bands.

    Bands that the scene has are copied. Bands that it lacks are estimated by the conditional mean of a
    normal distribution with the given covariance.
    """
    scale = np.sqrt(np.diagonal(covariance))
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    correlation = covariance * inverse[:, None] * inverse[None, :]
    observed = resampling * scale[None, :]
    variance = observed @ correlation @ observed.T
    size = np.sqrt(np.diagonal(variance))
    size[size == 0] = 1.0
    variance = variance / size[:, None] / size[None, :] + UNSHARED_VARIANCE * np.eye(len(variance))
    mean = np.linalg.solve(variance, (observed / size[:, None]) @ correlation).T
    estimate = np.asarray(scale[:, None] * mean / size[None, :])
    copied = (resampling == 1.0) & ((resampling == 1.0).sum(axis=0) == 1)[None, :]
    band, own = np.nonzero(copied)
    estimate[own] = 0.0
    estimate[own, band] = 1.0
    return estimate


def _tensor(array: Float64Array) -> Tensor:
    return torch.tensor(array, dtype=torch.float32)
