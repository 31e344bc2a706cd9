"""Views: the ways in which the teacher looks at the pixels of the plots.

Spectra and the features of a pre-trained network, scaled in several ways; alone, through Gaussian
filters, and as means over segments: some scenes bear much spatial context, others none.

Letters for shapes: N pixels of all plots, C bands, D numbers of a pixel.
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

from hsi_geo.errors import SceneError
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.features import sliding_encoder
from hsi_geo.tasks.likeness import compared
from hsi_geo.tasks.plots import Plots
from hsi_geo.tasks.segments import means, segment

#: Standard deviation in pixels of the Gaussian filter that heads look through.
FILTER_PX = 1.0

#: Mean pixels of the segments that pixels are seen in.
SEGMENTS_PX = (32, 128)

#: Principal components that are looked at.
COMPONENTS = 120

#: What the numbers of a whitened pixel, and of its features, add up to in squares.
SIZE = 60.0

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


class Sight(Enum):
    """How a pixel's surroundings come into a view."""

    ALONE = "not at all"
    FILTER = "through a filter"
    SEGMENT = "as far as its segment reaches"


#: Standard deviations in pixels of the Gaussian filters through which pixels are compared with shots:
#: by their means over segments, most pixels would be strangers.
COMPARED_PX = {Sight.ALONE: 0.0, Sight.FILTER: FILTER_PX, Sight.SEGMENT: 4.0}


@dataclass(frozen=True, eq=False)
class View:
    """One way to look at the pixels, with a head's strength that goes with it.

    Attributes:
        table: (N, D) numbers of each pixel.
        strength: Inverse of the regularisation.
        context_px: Standard deviation of what is averaged, along rows or columns.
        sight: How surroundings come in.
    """

    table: FloatArray
    strength: float
    context_px: float
    sight: Sight

    def at(self, rows: IntArray) -> View:
        """The view of some pixels only."""
        return replace(self, table=self.table[rows])


@dataclass(frozen=True, eq=False)
class Views:
    """All ways to look at the pixels.

    Attributes:
        heard: What heads are fitted to.
        filtered: (N, D) whitened spectra with the encoder's features through each filter of
            `COMPARED_PX`.
        unit_length: (N, C) spectra of unit length, standardised.
    """

    heard: list[View]
    filtered: dict[Sight, FloatArray]
    unit_length: FloatArray


def views_of(plots: Plots, encoder: S2Former | None, device: torch.device) -> Views:
    """Look at the pixels of some plots.

    Args:
        plots: With N pixels in all.
        encoder: Pre-trained, stays frozen; None does without its features.
        device: Where the encoder runs.

    Returns:
        Heard are whitened spectra with the encoder's features, alone and through a
        filter; these and components of equal variance as means over segments of each of
        `SEGMENTS_PX`; standardised spectra; the same of unit length.

    Raises:
        SceneError: If all pixels are the same.
    """
    valid = [plot.valid for plot in plots.plots]
    inside = [plot.inside for plot in plots.plots]
    cubes = _principal([_whitened(plots, plot.image) for plot in plots.plots], inside)
    learnt = None if encoder is None else _standard_features(plots, encoder, device)
    filtered = {}
    for sight, width_px in COMPARED_PX.items():
        parts = [_sized(_table(cubes, valid, inside, width_px))]
        if learnt is not None:
            parts.append(_sized(_table(learnt, valid, inside, width_px)))
        filtered[sight] = np.concatenate(parts, axis=1)
    spectra = np.concatenate([p.image[:, p.inside].T for p in plots.plots]).astype(np.float64)
    components = _of_equal_variance([plot.image for plot in plots.plots], spectra)
    # Weak directions are noise unless they are smoothed.
    evened = _sized(_table(components, valid, inside, FILTER_PX))
    lengths = np.maximum(np.linalg.norm(spectra, axis=1, keepdims=True), 1e-9)
    unit_length = _standard(spectra / lengths)
    alone = filtered[Sight.ALONE]
    heard = [
        View(alone, 1.0, 0.0, Sight.ALONE),
        View(filtered[Sight.FILTER], 1.0, FILTER_PX, Sight.FILTER),
        *_in_segments([alone, evened], inside),
        View(_standard(spectra), 10.0, 0.0, Sight.ALONE),
        View(unit_length, 10.0, 0.0, Sight.ALONE),
    ]
    return Views(heard, filtered, unit_length)


def _in_segments(tables: list[FloatArray], inside: list[npt.NDArray[np.bool_]]) -> Iterator[View]:
    """Means of all tables over segments that are grown by the first."""
    found = segment(tables[0], inside, SEGMENTS_PX)
    for size, segments in zip(SEGMENTS_PX, found, strict=True):
        parts = [_sized(means(table, segments)) for table in tables]
        spread_px = float(np.sqrt(size / 12))  # of a square of as many pixels
        yield View(_sized(np.concatenate(parts, axis=1)), 1.0, spread_px, Sight.SEGMENT)


def compared_tables(views: Views, places_px: npt.NDArray[np.float64]) -> Iterator[FloatArray]:
    """The tables whose nearest rows are joined: features with some and more place, spectra.

    Args:
        views: As `views_of` gives them.
        places_px: (N, 2) row and column of each pixel.

    Yields:
        (N, D) of each graph.
    """
    for table, place in (
        (views.filtered[Sight.ALONE], 0.05),
        (views.filtered[Sight.FILTER], 0.02),
        (views.unit_length, 0.0),
    ):
        likeness = compared(table / np.float32(np.sqrt(_mean_square(table))))
        near = (place * places_px).astype(np.float32)
        yield np.concatenate([likeness, near], axis=1) if place else likeness


def _whitened(plots: Plots, image: FloatArray) -> FloatArray:
    whitening = plots.spectral.whitening
    off = image - whitening.centre[:, None, None]
    turned = np.einsum("tc,chw->thw", whitening.matrix, off, optimize=True)
    return np.asarray(turned, np.float32)


def _principal(cubes: list[FloatArray], inside: list[npt.NDArray[np.bool_]]) -> list[FloatArray]:
    """Turn bands to the few directions that whitening left, so that tables are narrow."""
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
    images: list[FloatArray], spectra: npt.NDArray[np.float64]
) -> list[FloatArray]:
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


def encode_plots(plots: Plots, encoder: S2Former, device: torch.device) -> list[FloatArray]:
    """(D, h, w) features of each plot's reach, blended over windows that overlap by half."""
    by_scene = [sliding_encoder(v, encoder, plots.spectral, device) for v in plots.views]
    return [by_scene[plot.scene].block(plot.reach)[0] for plot in plots.plots]


def centre_and_scale(plots: Plots, features: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """(D,) mean and standard deviation of features over all pixels of the plots."""
    pairs = zip(features, plots.plots, strict=True)
    pixels = np.concatenate([found[:, plot.inside] for found, plot in pairs], axis=1)
    scale = np.maximum(pixels.std(axis=1), 1e-6)
    return np.asarray(pixels.mean(axis=1), np.float32), np.asarray(scale, np.float32)


def _standard_features(plots: Plots, encoder: S2Former, device: torch.device) -> list[FloatArray]:
    features = encode_plots(plots, encoder, device)
    centre, scale = centre_and_scale(plots, features)
    return [(found - centre[:, None, None]) / scale[:, None, None] for found in features]


def _table(
    cubes: list[FloatArray],
    valid: list[npt.NDArray[np.bool_]],
    inside: list[npt.NDArray[np.bool_]],
    context_px: float,
) -> FloatArray:
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


def _sized(table: FloatArray) -> FloatArray:
    """Scaled as a whole, so that squares of a row add up to `SIZE` in the mean."""
    return np.asarray(table * np.float32(np.sqrt(SIZE / _mean_square(table))))


def _mean_square(table: FloatArray) -> float:
    """What the squares of a row add up to in the mean, at least next to nothing."""
    return max(float((table.astype(np.float64) ** 2).sum(axis=1).mean()), 1e-30)


def _standard(spectra: npt.NDArray[np.float64]) -> FloatArray:
    return np.asarray(StandardScaler().fit_transform(spectra), np.float32)
