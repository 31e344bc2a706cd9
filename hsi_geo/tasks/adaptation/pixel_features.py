"""Features and graphs of the pixels of training regions. No shot has an effect on them, so that they can be kept.

Letters for shapes: N pixels of all regions.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array

from hsi_geo import timings
from hsi_geo.arrays import AnyArray, Float64Array
from hsi_geo.models.neighbour_graph import knn_transition_matrix
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.adaptation.feature_sets import (
    SUPERPIXEL_SIZES_PX,
    FeatureSet,
    FeatureSets,
    assemble_feature_sets,
    compute_spectra,
    feature_cubes,
    graph_features,
    single_pixels,
)
from hsi_geo.tasks.adaptation.spectral_features import SpectralFeatures
from hsi_geo.tasks.adaptation.steps import Steps, no_steps, wait_for
from hsi_geo.tasks.adaptation.superpixels import grow_superpixels
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.threads import one_blas_thread

#: Number of steps of `compute_pixel_features`, for the progress.
PIXEL_FEATURE_STEPS = 4


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


def compute_pixel_features(
    regions: TrainingRegions,
    encoder: S2Former | None,
    device: torch.device,
    advance: Steps | None = None,
    spectral: SpectralFeatures | None = None,
) -> PixelFeatures:
    """Compute the features and graphs of the pixels of some regions.

    Args:
        regions: Pixels; their shots are not used.
        encoder: Pre-trained encoder, whose weights are not changed; None for no encoder features.
        device: Device on which the encoder runs.
        advance: Receives `PIXEL_FEATURE_STEPS` steps; None reports none.
        spectral: Features of the spectra of these regions that were computed before; None computes them.

    Raises:
        SceneError: If all pixels are the same.
    """
    advance = advance or no_steps()
    spectral = spectral or SpectralFeatures(regions)
    parts = feature_cubes(spectral, encoder, device)
    pixels, inside = single_pixels(parts), spectral.whitened.inside
    advance.check()
    positions_px, graphs = regions.positions_px, []
    # Superpixels keep one core busy, and all else the other. BLAS has one thread for both: scikit-learn limits it for a
    # while in one of them, and its number of threads changes the rounding in the other.
    with one_blas_thread(), ThreadPoolExecutor(1) as pool:
        growing = pool.submit(grow_superpixels, pixels, inside, SUPERPIXEL_SIZES_PX)
        spectra = compute_spectra(spectral, parts, advance.check)
        assembling = pool.submit(lambda: assemble_feature_sets(spectra, growing.result()))
        advance()
        for features in graph_features(spectra, positions_px):
            with timings.stage(timings.GRAPHS):
                graphs.append(knn_transition_matrix(features, threads=torch.get_num_threads()))
            advance()
        graphs.append(spectral.graph)
        advance()
        wait_for([assembling], advance.check)
        return PixelFeatures(assembling.result(), tuple(graphs), positions_px)


def content_hash(regions: TrainingRegions, encoder: S2Former | None) -> str:
    """SHA-256 of all that `compute_pixel_features` depends on: pixels, places, statistics and encoder.

    Args:
        regions: Pixels; their shots do not matter.
        encoder: Encoder of the features; None for none.
    """
    digest = hashlib.sha256()

    def add(array: AnyArray) -> None:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)

    whitening = regions.spectral.whitening
    for array in (regions.spectral.centres_nm, whitening.centre, whitening.matrix):
        add(array)
    for region in regions.regions:
        where = [region.scene, *region.origin_px, *_numbers(region.window)]
        digest.update(json.dumps([*where, *_numbers(region.padded_window)]).encode())
        for pixels in (region.image, region.valid, region.inside):
            add(pixels)
    if encoder is not None:
        for name, weights in sorted(encoder.state_dict().items()):
            digest.update(name.encode())
            add(weights.cpu().numpy())
    return digest.hexdigest()


def _numbers(window: object) -> list[int]:
    return [getattr(window, name) for name in ("row", "col", "height", "width")]
