"""Feature sets: the inputs of the teacher's classifiers and graphs.

Spectra and features of a pre-trained encoder, scaled in several ways, for single pixels, after Gaussian
filters, and as means over superpixels: some scenes profit from much spatial context, others from none.
`feature_parts` computes what they consist of.

Letters for shapes: N pixels of all regions, C bands, D features of a pixel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array, csr_array

from hsi_geo import timings
from hsi_geo.arrays import Float32Array, Float64Array, IntArray
from hsi_geo.tasks.adaptation.feature_cubes import FILTER_PX, SpatialContext, rescale

#: Mean sizes of superpixels, in pixels.
SUPERPIXEL_SIZES_PX = (32, 128)

#: Prior weight of the two sets of plain spectra among those of single pixels.
PLAIN_SHARE = 0.8


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


@dataclass(frozen=True, eq=False)
class PixelFeatures:
    """What the teacher computes from the pixels of some regions alone.

    Attributes:
        feature_sets: Features of the N pixels.
        graphs: (N, N) transition matrix of each graph.
        positions_px: (N, 2) row and column of each pixel.
    """

    feature_sets: FeatureSets
    graphs: tuple[csr_array, ...]
    positions_px: Float64Array

    @property
    def inputs(self) -> list[FeatureSet]:
        """Feature sets that classifiers are fitted to."""
        return self.feature_sets.classifier_inputs


#: What feature sets and graphs consist of, in this order: features of pixels, graphs, and the (N,) superpixel of each pixel
#: for each of `SUPERPIXEL_SIZES_PX`.
Part = PixelSpectra | tuple[csr_array, ...] | list[IntArray]


def combine_parts(parts: Iterable[Part], positions_px: Float64Array) -> PixelFeatures:
    """Put the features and graphs of the pixels together.

    Args:
        parts: Three parts.
        positions_px: (N, 2) row and column of each pixel.
    """
    spectra, graphs, superpixels = parts
    assert isinstance(spectra, PixelSpectra)
    assert isinstance(graphs, tuple)
    assert isinstance(superpixels, list)
    return PixelFeatures(assemble_feature_sets(spectra, superpixels), graphs, positions_px)


@timings.stage(timings.FEATURES)
def assemble_feature_sets(spectra: PixelSpectra, superpixels: list[IntArray]) -> FeatureSets:
    """Put all features of the pixels together.

    Args:
        spectra: Features of pixels.
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


def superpixel_means(features: Float32Array, superpixels: IntArray) -> Float32Array:
    """Replace the features of each pixel by the mean of its superpixel.

    Args:
        features: (N, D) features of the pixels.
        superpixels: (N,) superpixel of each pixel, numbered from 0.

    Returns:
        (N, D) means.

    Examples:
        >>> import numpy as np
        >>> superpixel_means(np.array([[1.0], [3.0], [7.0]], np.float32), np.array([0, 0, 1])).tolist()
        [[2.0], [2.0], [7.0]]
    """
    count = int(superpixels.max()) + 1
    members = coo_array(
        (np.ones(len(features), np.float32), (superpixels, np.arange(len(features)))),
        (count, len(features)),
    ).tocsr()
    sizes = np.bincount(superpixels, minlength=count).astype(np.float32)
    return np.asarray((members @ features) / sizes[:, None], np.float32)[superpixels]
