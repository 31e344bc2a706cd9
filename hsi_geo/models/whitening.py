"""Noise whitening: what a scene's bands are divided by before a network sees them.

The minimum-noise-fraction idea (Green et al. 1988, doi 10.1109/36.3001): directions are scaled by
their noise, not by their variance, and the noise is estimated from differences of neighbouring
pixels. The symmetric form used here turns the result back, so that every output stays at the
wavelength of its band.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hsi_geo.arrays import Float64Array

#: Directions kept, differences kept (edges between objects are no noise) and the share of the
#: mean variance added to the noise covariance's diagonal.
KEPT_DIRECTIONS = 60
KEPT_DIFFERENCES = 0.7
RIDGE = 0.01


@dataclass(frozen=True, eq=False)
class Whitening:
    """Frozen statistics of a scene: ``matrix @ (x - centre)``.

    Attributes:
        centre: (C,) mean of each band.
        matrix: (C, C) from bands to noise-whitened bands at the same wavelengths.
        covariance: (C, C) of the bands: what a band that another scene lacks is estimated with.
    """

    centre: Float64Array
    matrix: Float64Array
    covariance: Float64Array


def learn_whitening(
    windows: Iterable[tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]],
) -> Whitening:
    """Learn a scene's noise whitening from some of its windows.

    Args:
        windows: Pairs of (C, H, W) values and (H, W) validity, as `io.scene.read_window` gives.

    Returns:
        The statistics. Bands that do not vary get no weight.

    Raises:
        ValueError: If the windows hold no valid pixel.
    """
    pixels, differences = [], []
    for image, valid in windows:
        cube = image.astype(np.float64)
        pixels.append(cube[:, valid])
        differences.append((cube[:, :, 1:] - cube[:, :, :-1])[:, valid[:, 1:] & valid[:, :-1]])
        differences.append((cube[:, 1:] - cube[:, :-1])[:, valid[1:] & valid[:-1]])
    spectra = np.concatenate(pixels, axis=1)
    if not spectra.shape[1]:
        raise ValueError("no valid pixel to learn statistics from")
    centre, spread = spectra.mean(axis=1), spectra.std(axis=1)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-12 * abs(centre))
    standard = (spectra - centre[:, None]) * scale[:, None]
    noise = np.concatenate(differences, axis=1) * scale[:, None]
    matrix = _symmetric(standard, _inverse_root(_noise_covariance(noise, len(scale)))) * scale
    outputs = matrix @ (spectra - centre[:, None])
    size = np.sqrt(np.mean(outputs**2))
    covariance = np.cov(spectra, bias=True).reshape(len(centre), len(centre))
    return Whitening(centre, matrix / size if size > 0 else matrix, covariance)


def _noise_covariance(differences: Float64Array, bands: int) -> Float64Array:
    """(C, C) from (C, N) differences of neighbours, the largest of them left out."""
    if differences.shape[1] < 2:
        return np.eye(bands)
    norms = np.linalg.norm(differences, axis=0)
    calm = differences[:, norms <= np.quantile(norms, KEPT_DIFFERENCES)]
    covariance = calm @ calm.T / (2.0 * calm.shape[1])  # a difference holds the noise twice
    mean_variance = np.trace(covariance) / bands
    if mean_variance == 0.0:
        return np.eye(bands)
    return np.asarray(covariance + RIDGE * mean_variance * np.eye(bands))


def _inverse_root(covariance: Float64Array) -> Float64Array:
    """(C, C) symmetric inverse square root of a positive definite matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T)


def _symmetric(standard: Float64Array, root: Float64Array) -> Float64Array:
    """Whiten the noise, then divide the strongest directions by the root of their deviation."""
    calm = root @ standard
    values, vectors = np.linalg.eigh(calm @ calm.T / calm.shape[1])
    strongest = np.argsort(values)[::-1][:KEPT_DIRECTIONS]
    strongest = strongest[values[strongest] > 1e-12 * max(values.max(), 1e-30)]
    kept, deviation = vectors[:, strongest], np.sqrt(values[strongest])
    return np.asarray((kept / np.sqrt(deviation)) @ kept.T @ root)


def noise_components(cube: Float64Array) -> Float64Array:
    """All noise-whitened directions of a cube, for comparison: turned, not symmetric.

    Args:
        cube: (H, W, C) standardised bands of a whole scene.

    Returns:
        (H, W, C) directions, the strongest first, each divided by the root of its deviation.
    """
    bands = cube.shape[-1]
    differences = [(cube[1:] - cube[:-1]), (cube[:, 1:] - cube[:, :-1])]
    noise = np.concatenate([part.reshape(-1, bands).T for part in differences], axis=1)
    calm = cube.reshape(-1, bands) @ _inverse_root(_noise_covariance(noise, bands))
    calm = calm - calm.mean(axis=0)
    values, vectors = np.linalg.eigh(calm.T @ calm / len(calm))
    order = np.argsort(values)[::-1]
    deviation = np.sqrt(np.maximum(values[order], 1e-30))
    return np.asarray((calm @ (vectors[:, order] / np.sqrt(deviation))).reshape(cube.shape))
