"""Novelty of a scene's pixels: their distance to the shots that a model was adapted to.

Letters for shapes: C bands, T bands of the model, N pixels, S shots.
"""

from __future__ import annotations

import numpy as np
import torch

from hsi_geo.arrays import Float32Array, Float64Array, IntArray
from hsi_geo.models.classifier import ResampledStats, resample_stats
from hsi_geo.models.whitening import SpectralStats
from hsi_geo.tasks.artifacts.shot_spectra import ShotSpectra
from hsi_geo.tasks.inference.domain_shift import MIN_PX
from hsi_geo.tasks.inference.scene_statistics import thin_evenly
from hsi_geo.tasks.runtime import one_thread

#: Greatest number of shots of a class that a model keeps.
SHOTS_A_CLASS = 40

#: Greatest number of a scene's pixels whose distance to the shots is computed.
SAMPLE_PX = 4000

#: Share of the training scene's pixels that lie within `ShotSpectra.radius` of a shot, by definition.
NEAR_SHARE = 0.99


def keep_shot_spectra(
    spectral: SpectralStats, spectra: Float32Array, labels: IntArray
) -> ShotSpectra:
    """Choose the shots that a model keeps, and compute the usual distance of pixels to them.

    Args:
        spectral: The model's bands and statistics.
        spectra: (C, N) physical values of the pixels that the model was adapted to.
        labels: (N,) class index of each pixel, -1 for pixels without a shot.
    """
    members = [np.flatnonzero(labels == c) for c in np.unique(labels[labels >= 0])]
    kept = np.sort(np.concatenate([own[thin_evenly(len(own), SHOTS_A_CLASS)] for own in members]))
    shots = np.ascontiguousarray(spectra[:, kept].T)
    stats = resample_stats(spectral, spectral.centres_nm)
    sample = spectra[:, thin_evenly(spectra.shape[1], SAMPLE_PX)]
    distances = _distance_to_shots(stats, stats.whiten(sample), stats, shots)
    radius = float(np.quantile(distances, NEAR_SHARE))
    return ShotSpectra(shots, radius)


def novelty(
    spectral: SpectralStats,
    stats: ResampledStats,
    shots: ShotSpectra | None,
    whitened: Float64Array,
) -> float | None:
    """Compute the share of pixels that are farther from every shot than the shots' radius.

    Args:
        spectral: The model's bands and statistics.
        stats: The same statistics for the scene's bands.
        shots: The shots that the model keeps; models of earlier versions keep none.
        whitened: (T, N) spectra of the scene's pixels, from `ResampledStats.whiten`.

    Returns:
        The share, 0 to 1; None if the model keeps no shots, or if there are too few pixels.
    """
    if shots is None or whitened.shape[1] < MIN_PX:
        return None
    sample = whitened[:, thin_evenly(whitened.shape[1], SAMPLE_PX)]
    shot_stats = resample_stats(spectral, spectral.centres_nm)
    distances = _distance_to_shots(stats, sample, shot_stats, shots.spectra)
    return float((distances > shots.radius).mean())


def _distance_to_shots(
    stats: ResampledStats,
    whitened: Float64Array,
    shot_stats: ResampledStats,
    shots: Float32Array,
) -> Float64Array:
    """(N,) distance of (T, N) whitened spectra to the nearest of (S, C') shots, root mean square over bands."""
    with one_thread():  # the number of threads may not change the rounding
        distances = torch.cdist(
            _scores(stats, whitened),
            _scores(shot_stats, shot_stats.whiten(shots.T)),
            compute_mode="use_mm_for_euclid_dist",  # products take a fraction of the time of differences
        )
    varying = max(1, int((stats.whitened_std > 0).sum()))
    nearest: Float64Array = distances.numpy().min(axis=1) / np.sqrt(varying)
    return nearest


def _scores(stats: ResampledStats, whitened: Float64Array) -> torch.Tensor:
    """(N, T) whitened spectra without their mean, each band divided by its standard deviation."""
    centred = whitened - (stats.matrix @ stats.centre)[:, None]
    scale = stats.whitened_std[:, None]
    scores = np.divide(centred, scale, out=np.zeros_like(centred), where=scale > 1e-9)
    return torch.from_numpy(scores.T)
