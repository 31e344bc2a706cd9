"""Feature sets: the inputs of the teacher's classifiers and graphs.

Spectra and features of a pre-trained encoder, scaled in several ways, for single pixels, after Gaussian
filters, and as means over superpixels: some scenes profit from much spatial context, others from none.

Letters for shapes: N pixels of all regions, C bands, D features of a pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from hsi_geo import timings
from hsi_geo.arrays import Float32Array, Float64Array, IntArray
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.adaptation.encoded_regions import encoder_cubes
from hsi_geo.tasks.adaptation.principal_components import unit_components
from hsi_geo.tasks.adaptation.spectral_features import (
    FAMILIARITY_FILTER_PX,
    FILTER_PX,
    FeatureCubes,
    SpatialContext,
    SpectralFeatures,
    rescale,
)
from hsi_geo.tasks.adaptation.superpixels import grow_superpixels, superpixel_means
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions

#: Mean sizes of superpixels, in pixels.
SUPERPIXEL_SIZES_PX = (32, 128)

#: Prior weight of the two sets of plain spectra among those of single pixels.
PLAIN_SHARE = 0.8

#: Weights of the position in the features of the graphs, per pixel, in units of the features' root mean
#: squared norm: for features of single pixels, and after a Gaussian filter.
PIXEL_POSITION_WEIGHT, GAUSSIAN_POSITION_WEIGHT = 0.05, 0.02


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """Features of all pixels, with the regularisation that suits them.

    Attributes:
        features: (N, D) features of each pixel.
        C: Inverse of the regularisation strength of a linear classifier.
        context_px: Standard deviation of the averaged surroundings along rows or columns, in pixels.
        context: How surroundings contribute to the features.
        share: Prior weight of a classifier of these features beside others of the same context.
        name: What the features are, for a table of times.
    """

    features: Float32Array
    C: float
    context_px: float
    context: SpatialContext
    share: float = 1.0
    name: str = ""

    def take(self, rows: IntArray) -> FeatureSet:
        """Select some pixels.

        Args:
            rows: (n,) indices of the pixels.
        """
        return replace(self, features=self.features[rows])


@dataclass(frozen=True, eq=False)
class FeatureSets:
    """All features of the pixels.

    Attributes:
        classifier_inputs: Feature sets that classifiers are fitted to.
        filtered: (N, D) whitened spectra with the encoder's features, after each filter of
            `FAMILIARITY_FILTER_PX`.
        unit_length: (N, C) standardised spectra that had unit length before.
    """

    classifier_inputs: list[FeatureSet]
    filtered: dict[SpatialContext, Float32Array]
    unit_length: Float32Array


@dataclass(frozen=True, eq=False)
class PixelSpectra:
    """Features of the pixels before their surroundings are averaged by superpixels.

    Attributes:
        filtered: See `FeatureSets`.
        unit_length: See `FeatureSets`.
        standardised: (N, C) standardised spectra.
        smooth_components: (N, D) whitened principal components after a Gaussian filter.
    """

    filtered: dict[SpatialContext, Float32Array]
    unit_length: Float32Array
    standardised: Float32Array
    smooth_components: Float32Array


def single_pixels(parts: Sequence[FeatureCubes]) -> Float32Array:
    """(N, D) features of single pixels.

    Args:
        parts: Cubes of whitened spectra, and of the encoder's features if there is an encoder. Each has the same mean
            squared norm.
    """
    return _joined(parts, FAMILIARITY_FILTER_PX[SpatialContext.PIXEL])


def _joined(parts: Sequence[FeatureCubes], sigma_px: float) -> Float32Array:
    return np.concatenate([part.filtered(sigma_px) for part in parts], axis=1)


@timings.stage(timings.FEATURES)
def compute_spectra(
    spectral: SpectralFeatures,
    parts: Sequence[FeatureCubes],
    check: Callable[[], None] = lambda: None,
) -> PixelSpectra:
    """Compute the features of the pixels of some regions, but those of superpixels.

    Args:
        spectral: Features of the spectra; what is not computed yet is computed now.
        parts: Cubes of whitened spectra, and of the encoder's features if there is an encoder.
        check: Called several times; an exception of it ends the job.
    """
    filtered = {}
    for context, sigma_px in FAMILIARITY_FILTER_PX.items():
        filtered[context] = _joined(parts, sigma_px)
        check()
    spectral.compute_features(check)
    return PixelSpectra(
        filtered, spectral.unit_length, spectral.standardised, spectral.smooth_components
    )


@timings.stage(timings.FEATURES)
def assemble_feature_sets(spectra: PixelSpectra, superpixels: list[IntArray]) -> FeatureSets:
    """Put all features of the pixels together.

    Args:
        spectra: What `compute_spectra` returned.
        superpixels: For each of `SUPERPIXEL_SIZES_PX` the (N,) superpixel of each pixel, numbered from 0.

    Returns:
        Classifier inputs are: whitened spectra with the encoder's features, of single pixels and after a
        Gaussian filter; these and whitened principal components as means over superpixels of each of
        `SUPERPIXEL_SIZES_PX`; standardised spectra; standardised spectra of unit length.
    """
    pixels = spectra.filtered[SpatialContext.PIXEL]
    classifier_inputs = [
        FeatureSet(pixels, 1.0, 0.0, SpatialContext.PIXEL, 1 - PLAIN_SHARE, "whitened"),
        FeatureSet(
            spectra.filtered[SpatialContext.GAUSSIAN],
            1.0,
            FILTER_PX,
            SpatialContext.GAUSSIAN,
            name="filtered",
        ),
        *_superpixel_sets([pixels, spectra.smooth_components], superpixels),
        FeatureSet(
            spectra.standardised,
            10.0,
            0.0,
            SpatialContext.PIXEL,
            PLAIN_SHARE / 2,
            "standardised",
        ),
        FeatureSet(
            spectra.unit_length, 10.0, 0.0, SpatialContext.PIXEL, PLAIN_SHARE / 2, "unit length"
        ),
    ]
    return FeatureSets(classifier_inputs, spectra.filtered, spectra.unit_length)


def compute_feature_sets(
    regions: TrainingRegions, encoder: S2Former | None, device: torch.device
) -> FeatureSets:
    """Compute all features of the pixels of some regions.

    Args:
        regions: Regions with N pixels in all.
        encoder: Pre-trained encoder, whose weights are not changed; None for no encoder features.
        device: Device on which the encoder runs.

    Raises:
        SceneError: If all pixels are the same.
    """
    spectral = SpectralFeatures(regions)
    parts = feature_cubes(spectral, encoder, device)
    inside = spectral.whitened.inside
    superpixels = grow_superpixels(single_pixels(parts), inside, SUPERPIXEL_SIZES_PX)
    return assemble_feature_sets(compute_spectra(spectral, parts), superpixels)


def feature_cubes(
    spectral: SpectralFeatures, encoder: S2Former | None, device: torch.device
) -> list[FeatureCubes]:
    """Cubes of whitened spectra, and of the encoder's features if there is an encoder.

    Args:
        spectral: Features of the spectra of some regions.
        encoder: Pre-trained encoder, whose weights are not changed; None for no encoder features.
        device: Device on which the encoder runs.

    Raises:
        SceneError: If all pixels are the same.
    """
    if encoder is None:
        return [spectral.whitened]
    return [spectral.whitened, encoder_cubes(spectral.regions, encoder, device)]


def _superpixel_sets(
    features: list[Float32Array], superpixels: list[IntArray]
) -> Iterator[FeatureSet]:
    """Means of all features over superpixels of each size."""
    for size, of_size in zip(SUPERPIXEL_SIZES_PX, superpixels, strict=True):
        parts = [rescale(superpixel_means(part, of_size)) for part in features]
        std_px = float(np.sqrt(size / 12))  # of a square with as many pixels
        yield FeatureSet(
            rescale(np.concatenate(parts, axis=1)),
            1.0,
            std_px,
            SpatialContext.SUPERPIXEL,
            name=f"superpixels of {size}",
        )


def graph_features(spectra: PixelSpectra, positions_px: Float64Array) -> Iterator[Float32Array]:
    """Compute the features of the graphs that depend on the encoder; `SpectralFeatures.graph` is another one.

    Args:
        spectra: What `compute_spectra` returned.
        positions_px: (N, 2) row and column of each pixel.

    Yields:
        (N, D) features whose nearest neighbours are connected: those of single pixels with the position, and those after
        a Gaussian filter with less of the position.
    """
    for context, weight in (
        (SpatialContext.PIXEL, PIXEL_POSITION_WEIGHT),
        (SpatialContext.GAUSSIAN, GAUSSIAN_POSITION_WEIGHT),
    ):
        position = (weight * positions_px).astype(np.float32)
        components = unit_components(spectra.filtered[context])
        yield np.concatenate([components, position], axis=1)
