"""Features of pixels that follow from the spectra of some regions, without the encoder.

Nothing here needs torch, so that they can be computed while it is imported.

Letters for shapes: N pixels of all regions, C bands, D features of a pixel, h rows and w columns of a region with its margin.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import cached_property

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from hsi_geo import timings
from hsi_geo.arrays import BoolArray, Float32Array, Float64Array
from hsi_geo.errors import SceneError
from hsi_geo.models.neighbour_graph import knn_transition_matrix
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adaptation.principal_components import mean_squared_norm, unit_components
from hsi_geo.tasks.adaptation.scene_reads import SceneReads
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions, whole_scenes
from hsi_geo.threads import one_blas_thread

#: Mean squared norm of a pixel's features, to which whitened features are scaled.
SQUARED_NORM = 60.0

#: Standard deviation in pixels of the Gaussian filter of the classifiers' inputs.
FILTER_PX = 1.0

#: Greatest number of whitened principal components.
COMPONENTS = 120


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

    def are_of(self, regions: TrainingRegions) -> bool:
        """Whether some regions have the same pixels; their shots may be others.

        Args:
            regions: The other regions.
        """
        own, others = self.regions.regions, regions.regions
        return (
            len(own) == len(others)
            and self.regions.spectral is regions.spectral
            and all(
                a.image is b.image and np.array_equal(a.inside, b.inside)
                for a, b in zip(own, others, strict=True)
            )
        )

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


def compute_ahead(reads: SceneReads) -> SpectralFeatures:
    """Compute the features of small scenes whose pixels are all used, before it is known which shots they have.

    Args:
        reads: The scenes, of one sensor, CRS and pixel size.

    Raises:
        SceneError: If a scene has no data, or all pixels are the same.
    """
    found = SpectralFeatures(whole_scenes(reads.scenes, reads, SilentReporter()))
    found.compute_features()
    _ = found.graph
    return found


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
