"""Features of pixels that follow from the spectra of some regions, without the encoder.

Nothing here needs torch, so that they can be computed while it is imported.

Letters for shapes: N pixels of all regions, C bands, D features of a pixel, h rows and w columns of a region with its margin.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from hsi_geo import timings
from hsi_geo.arrays import BoolArray, Float32Array, Float64Array
from hsi_geo.errors import SceneError
from hsi_geo.models.neighbour_graph import knn_transition_matrix
from hsi_geo.tasks.adaptation.feature_cubes import (
    FAMILIARITY_FILTER_PX,
    FILTER_PX,
    FeatureCubes,
    filter_pixels,
    rescale,
)
from hsi_geo.tasks.adaptation.principal_components import unit_components
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.threads import one_blas_thread

#: Greatest number of whitened principal components.
COMPONENTS = 120


class SpectralFeatures:
    """Features of the pixels of some regions, each computed when it is asked for.

    Args:
        regions: Regions with N pixels in all; their shots are not used.
    """

    def __init__(self, regions: TrainingRegions) -> None:
        self.regions = regions

    def compute_features(self, check: Callable[[], None] = lambda: None) -> None:
        """Compute all features, without the graph.

        Args:
            check: Called several times; an exception of it ends the job.

        Raises:
            SceneError: If all pixels are the same.
        """
        for sigma_px in FAMILIARITY_FILTER_PX.values():
            self.whitened.filtered(sigma_px)
            check()
        _ = self.smooth_components
        check()
        _ = self.unit_length, self.standardised

    def compute_all(self) -> None:
        """Compute all features, and the graph.

        Raises:
            SceneError: If all pixels are the same.
        """
        self.compute_features()
        _ = self.graph

    def same_pixels(self, regions: TrainingRegions) -> bool:
        """Whether they are the features of some regions; see `TrainingRegions.same_pixels`.

        Args:
            regions: The regions.
        """
        return self.regions.same_pixels(regions)

    def close(self) -> None:
        """Do nothing; a process that computes features ends here."""

    @cached_property
    def whitened(self) -> FeatureCubes:
        """Noise-whitened spectra, rotated to the directions that whitening kept.

        Raises:
            SceneError: If all pixels are the same.
        """
        # The number of BLAS's threads changes the rounding, and may not depend on who computes this.
        with timings.stage(timings.SPECTRAL_FEATURES), one_blas_thread():
            regions = self.regions.regions
            cubes = [_whiten_noise(self.regions, region.image) for region in regions]
            inside = [region.inside for region in regions]
            return FeatureCubes(
                _drop_null_space(cubes, inside), [region.valid for region in regions], inside
            )

    @cached_property
    def smooth_components(self) -> Float32Array:
        """(N, D) whitened principal components after a Gaussian filter: weak ones are mostly noise."""
        with timings.stage(timings.SPECTRAL_FEATURES), one_blas_thread():
            cubes = _whitened_components(
                [region.image for region in self.regions.regions], self._spectra
            )
            valid, inside = self.whitened.valid, self.whitened.inside
            return rescale(filter_pixels(cubes, valid, inside, FILTER_PX))

    @cached_property
    def standardised(self) -> Float32Array:
        """(N, C) standardised spectra."""
        with timings.stage(timings.SPECTRAL_FEATURES):
            return _standardize(self._spectra)

    @cached_property
    def unit_length(self) -> Float32Array:
        """(N, C) standardised spectra that had unit length before."""
        with timings.stage(timings.SPECTRAL_FEATURES):
            spectra = self._spectra
            lengths = np.maximum(np.linalg.norm(spectra, axis=1, keepdims=True), 1e-9)
            return _standardize(spectra / lengths)

    @cached_property
    def graph(self) -> csr_matrix:
        """(N, N) transition matrix of the graph of spectra, without the position: see `knn_transition_matrix`."""
        with timings.stage(timings.SPECTRAL_FEATURES), one_blas_thread():
            return knn_transition_matrix(unit_components(self.unit_length))

    @property
    def _spectra(self) -> Float64Array:
        """(N, C) physical values; they are not kept, as they take more memory than all features."""
        return self.regions.spectra.T.astype(np.float64)


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


def _whitened_components(images: list[Float32Array], spectra: Float64Array) -> list[Float32Array]:
    """Principal components of standardised bands, each with variance 1."""
    scaler = StandardScaler().fit(spectra)
    count = min(COMPONENTS, *spectra.shape)
    pca = PCA(count, whiten=True, svd_solver="covariance_eigh").fit(scaler.transform(spectra))
    # Components that hardly vary are rounding errors: whitened, they would count as much as the others.
    varying = pca.explained_variance_ > 1e-9 * pca.explained_variance_[0]
    found = []
    for image in images:
        pixels = scaler.transform(image.reshape(len(image), -1).T.astype(np.float64))
        components = pca.transform(pixels).T[varying].astype(np.float32)
        found.append(components.reshape(-1, *image.shape[1:]))
    return found


def _standardize(spectra: Float64Array) -> Float32Array:
    return np.asarray(StandardScaler().fit_transform(spectra), np.float32)
