"""FeatureSets: the ways in which the teacher looks at the pixels of the regions.

Spectra and the features of a pre-trained network, scaled in several ways; alone, through Gaussian
filters, and as means over superpixels: some scenes bear much spatial context, others none.

Letters for shapes: N pixels of all regions, C bands, D numbers of a pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter
from sklearn.preprocessing import StandardScaler

from hsi_geo.arrays import Float32Array, IntArray
from hsi_geo.errors import SceneError
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.adaptation.principal_components import principal_components
from hsi_geo.tasks.adaptation.superpixels import grow_superpixels, means
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.inference.encoder_features import sliding_encoder

#: Standard deviation in pixels of the Gaussian filter that heads look through.
FILTER_PX = 1.0

#: Mean pixels of the superpixels that pixels are seen in.
SUPERPIXEL_SIZES_PX = (32, 128)

#: Principal components that are looked at.
COMPONENTS = 120

#: What the numbers of a whitened pixel, and of its features, add up to in squares.
SIZE = 60.0


class SpatialContext(Enum):
    """How a pixel's surroundings come into a view."""

    PIXEL = "not at all"
    GAUSSIAN = "through a filter"
    SUPERPIXEL = "as far as its segment reaches"


#: Standard deviations in pixels of the Gaussian filters through which pixels are compared with shots:
#: by their means over superpixels, most pixels would be strangers.
COMPARED_PX = {
    SpatialContext.PIXEL: 0.0,
    SpatialContext.GAUSSIAN: FILTER_PX,
    SpatialContext.SUPERPIXEL: 4.0,
}


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """One way to look at the pixels, with a head's C that goes with it.

    Attributes:
        table: (N, D) numbers of each pixel.
        C: Inverse of the regularisation.
        context_px: Standard deviation of what is averaged, along rows or columns.
        context: How surroundings come in.
    """

    table: Float32Array
    C: float
    context_px: float
    context: SpatialContext

    def at(self, rows: IntArray) -> FeatureSet:
        """The view of some pixels only."""
        return replace(self, table=self.table[rows])


@dataclass(frozen=True, eq=False)
class FeatureSets:
    """All ways to look at the pixels.

    Attributes:
        heard: What heads are fitted to.
        filtered: (N, D) whitened spectra with the encoder's features through each filter of
            `COMPARED_PX`.
        unit_length: (N, C) spectra of unit length, standardised.
    """

    classifier_inputs: list[FeatureSet]
    filtered: dict[SpatialContext, Float32Array]
    unit_length: Float32Array


def compute_feature_sets(
    regions: TrainingRegions, encoder: S2Former | None, device: torch.device
) -> FeatureSets:
    """Look at the pixels of some regions.

    Args:
        regions: With N pixels in all.
        encoder: Pre-trained, stays frozen; None does without its features.
        device: Where the encoder runs.

    Returns:
        Heard are whitened spectra with the encoder's features, alone and through a
        filter; these and components of equal variance as means over superpixels of each of
        `SUPERPIXEL_SIZES_PX`; standardised spectra; the same of unit length.

    Raises:
        SceneError: If all pixels are the same.
    """
    valid = [region.valid for region in regions.regions]
    inside = [region.inside for region in regions.regions]
    cubes = _principal([_whitened(regions, region.image) for region in regions.regions], inside)
    learnt = None if encoder is None else _standard_features(regions, encoder, device)
    filtered = {}
    for context, width_px in COMPARED_PX.items():
        parts = [_sized(_table(cubes, valid, inside, width_px))]
        if learnt is not None:
            parts.append(_sized(_table(learnt, valid, inside, width_px)))
        filtered[context] = np.concatenate(parts, axis=1)
    spectra = np.concatenate([p.image[:, p.inside].T for p in regions.regions]).astype(np.float64)
    components = _of_equal_variance([region.image for region in regions.regions], spectra)
    # Weak directions are noise unless they are smoothed.
    evened = _sized(_table(components, valid, inside, FILTER_PX))
    lengths = np.maximum(np.linalg.norm(spectra, axis=1, keepdims=True), 1e-9)
    unit_length = _standard(spectra / lengths)
    alone = filtered[SpatialContext.PIXEL]
    classifier_inputs = [
        FeatureSet(alone, 1.0, 0.0, SpatialContext.PIXEL),
        FeatureSet(filtered[SpatialContext.GAUSSIAN], 1.0, FILTER_PX, SpatialContext.GAUSSIAN),
        *_in_segments([alone, evened], inside),
        FeatureSet(_standard(spectra), 10.0, 0.0, SpatialContext.PIXEL),
        FeatureSet(unit_length, 10.0, 0.0, SpatialContext.PIXEL),
    ]
    return FeatureSets(classifier_inputs, filtered, unit_length)


def _in_segments(
    tables: list[Float32Array], inside: list[npt.NDArray[np.bool_]]
) -> Iterator[FeatureSet]:
    """Means of all tables over superpixels that are grown by the first."""
    found = grow_superpixels(tables[0], inside, SUPERPIXEL_SIZES_PX)
    for size, superpixels in zip(SUPERPIXEL_SIZES_PX, found, strict=True):
        parts = [_sized(means(table, superpixels)) for table in tables]
        spread_px = float(np.sqrt(size / 12))  # of a square of as many pixels
        yield FeatureSet(
            _sized(np.concatenate(parts, axis=1)), 1.0, spread_px, SpatialContext.SUPERPIXEL
        )


def graph_features(
    views: FeatureSets, positions_px: npt.NDArray[np.float64]
) -> Iterator[Float32Array]:
    """The tables whose nearest rows are joined: features with some and more place, spectra.

    Args:
        views: As `compute_feature_sets` gives them.
        positions_px: (N, 2) row and column of each pixel.

    Yields:
        (N, D) of each graph.
    """
    for table, place in (
        (views.filtered[SpatialContext.PIXEL], 0.05),
        (views.filtered[SpatialContext.GAUSSIAN], 0.02),
        (views.unit_length, 0.0),
    ):
        likeness = principal_components(table / np.float32(np.sqrt(_mean_square(table))))
        near = (place * positions_px).astype(np.float32)
        yield np.concatenate([likeness, near], axis=1) if place else likeness


def _whitened(regions: TrainingRegions, image: Float32Array) -> Float32Array:
    whitening = regions.spectral.whitening
    off = image - whitening.centre[:, None, None]
    turned = np.einsum("tc,chw->thw", whitening.matrix, off, optimize=True)
    return np.asarray(turned, np.float32)


def _principal(
    cubes: list[Float32Array], inside: list[npt.NDArray[np.bool_]]
) -> list[Float32Array]:
    """Dihedral bands to the few directions that whitening left, so that tables are narrow."""
    pixels = np.concatenate([c[:, i] for c, i in zip(cubes, inside, strict=True)], axis=1)
    values, vectors = np.linalg.eigh(np.cov(pixels.astype(np.float64)).reshape((len(pixels),) * 2))
    kept = vectors[:, values > 1e-6 * max(values[-1], 1e-30)].astype(np.float32)
    if not kept.shape[1]:
        raise SceneError(
            "the scene's pixels are all the same around the shots",
            hint="look at it with hsi-geo info",
        )
    return [np.einsum("tc,thw->chw", kept, cube, optimize=True) for cube in cubes]


def _of_equal_variance(
    images: list[Float32Array], spectra: npt.NDArray[np.float64]
) -> list[Float32Array]:
    """Principal components of standardised bands, all made equally strong."""
    centre, deviation = spectra.mean(axis=0), spectra.std(axis=0)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
    covariance = np.cov(spectra, rowvar=False).reshape((len(centre),) * 2) * np.outer(scale, scale)
    values, vectors = np.linalg.eigh(covariance)
    strongest = [i for i in np.argsort(values)[::-1][:COMPONENTS] if values[i] > 1e-9 * values[-1]]
    turn = (vectors[:, strongest] / np.sqrt(values[strongest])).T * scale
    return [
        np.einsum("kc,chw->khw", turn, image - centre[:, None, None], optimize=True).astype(
            np.float32
        )
        for image in images
    ]


def encode_regions(
    regions: TrainingRegions, encoder: S2Former, device: torch.device
) -> list[Float32Array]:
    """(D, h, w) features of each region's reach, blended over windows that overlap by half."""
    by_scene = [sliding_encoder(v, encoder, regions.spectral, device) for v in regions.views]
    return [by_scene[region.scene].block(region.reach)[0] for region in regions.regions]


def centre_and_scale(
    regions: TrainingRegions, features: list[Float32Array]
) -> tuple[Float32Array, Float32Array]:
    """(D,) mean and standard deviation of features over all pixels of the regions."""
    pairs = zip(features, regions.regions, strict=True)
    pixels = np.concatenate([found[:, region.inside] for found, region in pairs], axis=1)
    scale = np.maximum(pixels.std(axis=1), 1e-6)
    return np.asarray(pixels.mean(axis=1), np.float32), np.asarray(scale, np.float32)


def _standard_features(
    regions: TrainingRegions, encoder: S2Former, device: torch.device
) -> list[Float32Array]:
    features = encode_regions(regions, encoder, device)
    centre, scale = centre_and_scale(regions, features)
    return [(found - centre[:, None, None]) / scale[:, None, None] for found in features]


def _table(
    cubes: list[Float32Array],
    valid: list[npt.NDArray[np.bool_]],
    inside: list[npt.NDArray[np.bool_]],
    context_px: float,
) -> Float32Array:
    """(N, D) of cubes seen through a Gaussian filter; pixels without data have no weight."""
    parts = []
    for cube, has_data, wanted in zip(cubes, valid, inside, strict=True):
        smooth = cube
        if context_px > 0:
            sigma = (0.0, context_px, context_px)
            weight = gaussian_filter(has_data.astype(np.float32), context_px)
            smooth = gaussian_filter(cube * has_data, sigma) / np.maximum(weight, 1e-6)
        parts.append(smooth[:, wanted].T)
    return np.concatenate(parts)


def _sized(table: Float32Array) -> Float32Array:
    """Scaled as a whole, so that squares of a row add up to `SIZE` in the mean."""
    return np.asarray(table * np.float32(np.sqrt(SIZE / _mean_square(table))))


def _mean_square(table: Float32Array) -> float:
    """What the squares of a row add up to in the mean, at least next to nothing."""
    return max(float((table.astype(np.float64) ** 2).sum(axis=1).mean()), 1e-30)


def _standard(spectra: npt.NDArray[np.float64]) -> Float32Array:
    return np.asarray(StandardScaler().fit_transform(spectra), np.float32)
