"""Computation of what feature sets and graphs consist of.

Nothing here needs torch: `feature_process` computes features while it is imported.

Letters for shapes: N pixels of all regions, C bands, D features of a pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from hsi_geo import timings
from hsi_geo.arrays import Float32Array, Float64Array
from hsi_geo.models.neighbour_graph import knn_transition_matrix
from hsi_geo.tasks.adaptation.feature_cubes import (
    FAMILIARITY_FILTER_PX,
    FeatureCubes,
    SpatialContext,
)
from hsi_geo.tasks.adaptation.feature_sets import SUPERPIXEL_SIZES_PX, Part, PixelSpectra
from hsi_geo.tasks.adaptation.principal_components import unit_components
from hsi_geo.tasks.adaptation.spectral_features import SpectralFeatures
from hsi_geo.tasks.adaptation.steps import Steps, no_steps, wait_for
from hsi_geo.tasks.adaptation.superpixels import grow_superpixels
from hsi_geo.threads import one_blas_thread

#: Weights of the position in the features of the graphs, per pixel, in units of the features' root mean
#: squared norm: for features of single pixels, and after a Gaussian filter.
PIXEL_POSITION_WEIGHT, GAUSSIAN_POSITION_WEIGHT = 0.05, 0.02


def compute_parts(
    spectral: SpectralFeatures,
    encoded: FeatureCubes | None,
    threads: int,
    advance: Steps | None = None,
) -> Iterator[Part]:
    """Compute the parts that the features and graphs of some regions consist of.

    Args:
        spectral: Features of the spectra of these regions; what is not computed yet is computed now.
        encoded: Features of an encoder; None for none.
        threads: Number of threads that search for neighbours.
        advance: Receives three steps; None reports none.

    Yields:
        The features of pixels, then the graphs, then the superpixels.

    Raises:
        SceneError: If all pixels are the same.
    """
    advance = advance or no_steps()
    cubes = [spectral.whitened, *([] if encoded is None else [encoded])]
    pixels, inside = single_pixels(cubes), spectral.whitened.inside
    advance.check()
    graphs = []
    # Superpixels keep one core busy, and all else the other. BLAS has one thread for both: scikit-learn limits it for a
    # while in one of them, and its number of threads changes the rounding in the other.
    with one_blas_thread(), ThreadPoolExecutor(1) as pool:
        growing = pool.submit(grow_superpixels, pixels, inside, SUPERPIXEL_SIZES_PX)
        spectra = compute_spectra(spectral, cubes, advance.check)
        yield spectra
        advance()
        for features in graph_features(spectra, spectral.regions.positions_px):
            with timings.stage(timings.GRAPHS):
                graphs.append(knn_transition_matrix(features, threads=threads))
            advance()
        yield (*graphs, spectral.graph)
        wait_for([growing], advance.check)
        yield growing.result()


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
