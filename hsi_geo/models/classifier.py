"""A network that names the class of every pixel: frozen statistics, S2Former, a linear head."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from hsi_geo.arrays import Float64Array
from hsi_geo.models.s2former import BandMap, S2Former, S2FormerConfig, resample_to_axis
from hsi_geo.models.whitening import Whitening
from hsi_geo.wavelengths import interpolation_matrix

#: Cost of a pair of bands that lie too far apart, beside squared distances of pairs that do not.
FAR_NM2 = 1e9

#: Share of a standardised band's variance that is taken for not shared with any other.
UNCERTAINTY = 1e-4


@dataclass(frozen=True, eq=False)
class SpectralStats:
    """The bands a classifier was adapted to, and their frozen statistics.

    Attributes:
        centres_nm: (C,) increasing.
        fwhm_nm: (C,) widths.
        whitening: Learnt from the scene the shots lie in.
    """

    centres_nm: Float64Array
    fwhm_nm: Float64Array
    whitening: Whitening


class Classifier(nn.Module):
    """S2Former with a linear head: logits for every pixel of a window.

    The last logit is that of a pixel unlike any shot. It takes its part of the probability, so
    that all classes become unlikely where the scene shows something that nobody has named.

    Args:
        config: Of the S2Former.
        classes: K, number of classes.
    """

    def __init__(self, config: S2FormerConfig, classes: int) -> None:
        super().__init__()
        self.backbone = S2Former(config)
        self.head = nn.Linear(config.width, classes + 1)

    def forward(self, image: Tensor, valid: Tensor, bands: BandMap) -> Tensor:
        """(B, C, H, W) physical values and (B, H, W) validity to (B, K + 1, H, W) logits."""
        return self.name(self.backbone(image, valid, bands))

    def name(self, features: Tensor) -> Tensor:
        """(B, D, H, W) features to (B, K + 1, H, W) logits."""
        logits: Tensor = self.head(features.movedim(1, -1))
        return logits.movedim(-1, 1)

    def reordered(self, order: Sequence[int] | npt.NDArray[np.int64]) -> Classifier:
        """A copy whose classes stand in another order.

        Args:
            order: (K,) which of this one's classes stands at each place.
        """
        other = copy.deepcopy(self)
        rows = [*map(int, order), len(order)]  # unlike any shot stays last
        with torch.no_grad():
            other.head.weight.copy_(self.head.weight[rows])
            other.head.bias.copy_(self.head.bias[rows])
        return other

    @staticmethod
    def probabilities(logits: Tensor) -> Tensor:
        """(B, K, H, W) of the classes; what a pixel's lack to 1 is that it is like no shot."""
        return logits.softmax(dim=1)[:, :-1]


@dataclass(frozen=True, eq=False)
class PlacedStatistics:
    """A classifier's statistics on a scene's bands x: ``matrix @ (x - centre)`` whitens them.

    Attributes:
        matrix: (T, C) to the classifier's own bands, noise-whitened.
        centre: (C,) mean of each band where the classifier learnt.
        deviation: (C,) standard deviation there; 0 for bands that it knows nothing of.
        whitened: (T,) standard deviation there of what comes out.
    """

    matrix: Float64Array
    centre: Float64Array
    deviation: Float64Array
    whitened: Float64Array


def place_statistics(spectral: SpectralStats, centres_nm: Float64Array) -> PlacedStatistics:
    """A classifier's statistics, brought to a scene's bands.

    Args:
        spectral: The classifier's own bands and statistics.
        centres_nm: (C,) the scene's bands, increasing.
    """
    own = spectral.whitening
    spread = np.einsum("ij,jk,ik->i", own.matrix, own.covariance, own.matrix, optimize=True)
    whitened = np.sqrt(np.maximum(spread, 0.0))
    if np.array_equal(centres_nm, spectral.centres_nm):
        deviation = np.sqrt(np.maximum(np.diagonal(own.covariance), 0.0))
        return PlacedStatistics(own.matrix, own.centre, deviation, whitened)
    seen = _as_seen_by(centres_nm, spectral)
    variance = np.einsum("ij,jk,ik->i", seen, own.covariance, seen, optimize=True)
    return PlacedStatistics(
        own.matrix @ _estimate(seen, own.covariance),
        seen @ own.centre,
        np.sqrt(np.maximum(variance, 0.0)),
        whitened,
    )


def band_map(config: S2FormerConfig, spectral: SpectralStats, centres_nm: Float64Array) -> BandMap:
    """From a scene's physical values to the network's wavelength axis, in one affine map.

    The scene's bands are brought to those of the statistics, whitened, and spread over the axis.

    Args:
        config: Of the S2Former.
        spectral: The classifier's own bands and statistics.
        centres_nm: (C,) the scene's bands, increasing.

    Returns:
        The map for (B, C, H, W) images of the scene.
    """
    axis = resample_to_axis(config, spectral.centres_nm, spectral.fwhm_nm)
    # What is subtracted first lies near the scene's own values, so that no digits are lost.
    placed = place_statistics(spectral, centres_nm)
    return axis.compose(_tensor(placed.matrix), _tensor(placed.centre))


def _as_seen_by(centres_nm: Float64Array, spectral: SpectralStats) -> Float64Array:
    """(C, T): what a scene's bands show of the statistics' own bands.

    A band whose centre lies within half a width of an own one is taken for it: whitening magnifies
    what interpolation between bands blurs. Where detectors overlap and bands lie close, as many
    find their partner as can, in order. Others lie between two; those beyond the ends show nothing.
    """
    own = spectral.centres_nm
    distance = np.abs(centres_nm[:, None] - own[None, :])
    matrix = interpolation_matrix(own, centres_nm)
    far = distance > spectral.fwhm_nm / 2
    # Squares keep the order: of two pairs the crossed one costs more.
    bands, partners = linear_sum_assignment(np.where(far, FAR_NM2, distance**2))
    close = ~far[bands, partners]
    matrix[(centres_nm < own[0]) | (centres_nm > own[-1])] = 0.0
    matrix[bands[close]] = 0.0
    matrix[bands[close], partners[close]] = 1.0
    return matrix


def _estimate(seen: Float64Array, covariance: Float64Array) -> Float64Array:
    """(T, C): the own bands, less their mean, from a scene's bands less theirs.

    Bands that the scene has are taken as they are. Others, dropped as bad or never recorded, are
    the conditional mean under the covariance, which knows how bands go together.
    """
    scale = np.sqrt(np.diagonal(covariance))
    inverse = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0)
    together = covariance * inverse[:, None] * inverse[None, :]  # of standardised bands
    reached = seen * scale[None, :]
    spread = reached @ together @ reached.T
    size = np.sqrt(np.diagonal(spread))
    size[size == 0] = 1.0
    spread = spread / size[:, None] / size[None, :] + UNCERTAINTY * np.eye(len(spread))
    mean = np.linalg.solve(spread, (reached / size[:, None]) @ together).T
    estimate = np.asarray(scale[:, None] * mean / size[None, :])
    single = (seen == 1.0) & ((seen == 1.0).sum(axis=0) == 1)[None, :]
    band, own = np.nonzero(single)
    estimate[own] = 0.0
    estimate[own, band] = 1.0
    return estimate


def _tensor(array: Float64Array) -> Tensor:
    return torch.tensor(array, dtype=torch.float32)
