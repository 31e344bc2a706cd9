"""Feature cubes: whitened spectra and features of the encoder for each region, before surroundings are averaged.

Letters for shapes: N pixels of all regions, D features of a pixel, h rows and w columns of a region with its margin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from hsi_geo import timings
from hsi_geo.arrays import BoolArray, Float32Array
from hsi_geo.errors import SceneError
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.inference.encoder_features import sliding_encoder

#: Mean squared norm of a pixel's features, to which whitened features are scaled.
SQUARED_NORM = 60.0


@dataclass(frozen=True, eq=False)
class FeatureCubes:
    """Features of each region with its margin, from which those with more spatial context follow.

    Attributes:
        parts: Lists of (D', h, w) features of each region: whitened spectra, and the encoder's if there is one.
        valid: (h, w) whether a pixel has data, of each region.
        inside: (h, w) whether a pixel belongs to the region and has data, of each region; N pixels in all.
    """

    parts: list[list[Float32Array]]
    valid: list[BoolArray]
    inside: list[BoolArray]

    @cached_property
    def pixels(self) -> Float32Array:
        """(N, D) features of single pixels."""
        return self.filtered(0.0)

    def filtered(self, sigma_px: float) -> Float32Array:
        """(N, D) features after a Gaussian filter; each part has the same mean squared norm.

        Args:
            sigma_px: Standard deviation of the filter in pixels; 0 filters nothing.
        """
        found = [filter_pixels(part, self.valid, self.inside, sigma_px) for part in self.parts]
        return np.concatenate([rescale(part) for part in found], axis=1)


@timings.stage(timings.FEATURES)
def compute_cubes(
    regions: TrainingRegions, encoder: S2Former | None, device: torch.device
) -> FeatureCubes:
    """Compute whitened spectra and the encoder's features of some regions.

    Args:
        regions: Regions with N pixels in all.
        encoder: Pre-trained encoder, whose weights are not changed; None for no encoder features.
        device: Device on which the encoder runs.

    Raises:
        SceneError: If all pixels are the same.
    """
    inside = [region.inside for region in regions.regions]
    whitened = [_whiten_noise(regions, region.image) for region in regions.regions]
    parts = [_drop_null_space(whitened, inside)]
    if encoder is not None:
        parts.append(_standardized_features(regions, encoder, device))
    return FeatureCubes(parts, [region.valid for region in regions.regions], inside)


def encode_regions(
    regions: TrainingRegions, encoder: S2Former, device: torch.device
) -> list[Float32Array]:
    """Compute an encoder's features of each region and its margin.

    Args:
        regions: Regions of some scenes.
        encoder: Pre-trained encoder, whose weights are not changed.
        device: Device on which the encoder runs.

    Returns:
        (D, h, w) features of each region's padded window, blended over windows that overlap by half.
    """
    by_scene = [sliding_encoder(v, encoder, regions.spectral, device) for v in regions.views]
    return [by_scene[region.scene].block(region.padded_window)[0] for region in regions.regions]


def mean_and_std(
    regions: TrainingRegions, cubes: list[Float32Array]
) -> tuple[Float32Array, Float32Array]:
    """Compute mean and standard deviation of features over all pixels of the regions.

    Args:
        regions: Regions with N pixels in all.
        cubes: (D, h, w) features of each region's padded window.

    Returns:
        (D,) mean and (D,) standard deviation, which is at least 1e-6.
    """
    pairs = zip(cubes, regions.regions, strict=True)
    pixels = np.concatenate([cube[:, region.inside] for cube, region in pairs], axis=1)
    std = np.maximum(pixels.std(axis=1), 1e-6)
    return np.asarray(pixels.mean(axis=1), np.float32), np.asarray(std, np.float32)


def _standardized_features(
    regions: TrainingRegions, encoder: S2Former, device: torch.device
) -> list[Float32Array]:
    cubes = encode_regions(regions, encoder, device)
    mean, std = mean_and_std(regions, cubes)
    return [(cube - mean[:, None, None]) / std[:, None, None] for cube in cubes]


def _whiten_noise(regions: TrainingRegions, image: Float32Array) -> Float32Array:
    whitening = regions.spectral.whitening
    centred = image - whitening.centre[:, None, None]
    whitened = np.einsum("tc,chw->thw", whitening.matrix, centred, optimize=True)
    return np.asarray(whitened, np.float32)


def _drop_null_space(cubes: list[Float32Array], inside: list[BoolArray]) -> list[Float32Array]:
    """Rotate whitened bands to the few directions that whitening kept, so that there are fewer features."""
    pixels = np.concatenate([c[:, i] for c, i in zip(cubes, inside, strict=True)], axis=1)
    values, vectors = np.linalg.eigh(np.cov(pixels.astype(np.float64)).reshape((len(pixels),) * 2))
    kept = vectors[:, values > 1e-6 * max(values[-1], 1e-30)].astype(np.float32)
    if not kept.shape[1]:
        raise SceneError(
            "the scene's pixels are all the same around the shots",
            hint="look at it with hsi-geo info",
        )
    return [np.einsum("tc,thw->chw", kept, cube, optimize=True) for cube in cubes]


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
