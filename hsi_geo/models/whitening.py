"""Noise whitening of a scene's bands before a network sees them.

The idea is that of the minimum noise fraction (Green et al. 1988, doi 10.1109/36.3001): directions are
scaled by their noise and not by their variance, and the noise is estimated from differences of
neighbouring pixels. The symmetric form that is used here rotates the result back, so that every output
stays at the wavelength of its band.

Letters for shapes: C bands, T bands of the statistics, H rows, W columns, N pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hsi_geo.arrays import BoolArray, Float32Array, Float64Array

#: Number of directions that are kept.
KEPT_DIRECTIONS = 60

#: Share of the differences that are kept, the smallest ones: edges between objects are not noise.
KEPT_DIFFERENCES = 0.7

#: Share of the mean variance that is added to the diagonal of the noise covariance.
RIDGE = 0.01


@dataclass(frozen=True, eq=False)
class Whitening:
    """Frozen statistics of a scene's bands x: ``matrix @ (x - centre)`` whitens the noise.

    Attributes:
        centre: (C,) mean of each band, in physical values.
        matrix: (C, C) map from bands to noise-whitened bands at the same wavelengths.
        covariance: (C, C) covariance of the bands, with which a band that another scene lacks is
            estimated.
    """

    centre: Float64Array
    matrix: Float64Array
    covariance: Float64Array


@dataclass(frozen=True, eq=False)
class SpectralStats:
    """The bands a classifier was adapted to, and their frozen statistics.

    Attributes:
        centres_nm: (T,) band centres in nm, increasing.
        fwhm_nm: (T,) full widths at half maximum in nm.
        whitening: Mean, covariance and noise whitening, estimated from the scene that contains the shots.
    """

    centres_nm: Float64Array
    fwhm_nm: Float64Array
    whitening: Whitening


def learn_whitening(windows: Iterable[tuple[Float32Array, BoolArray]]) -> Whitening:
    """Estimate the noise whitening of a scene from some of its windows.

    Args:
        windows: Pairs of (C, H, W) physical values and (H, W) validity, as `io.scenes.windows.read_window`
            returns them.

    Returns:
        The statistics; bands that do not vary get no weight.

    Raises:
        ValueError: If the windows contain no valid pixel.

    Examples:
        >>> import numpy as np
        >>> image = np.random.default_rng(0).normal(50.0, [[[1.0]], [[9.0]]], (2, 40, 40))
        >>> whitening = learn_whitening([(image.astype(np.float32), np.ones((40, 40), bool))])
        >>> white = whitening.matrix @ (image.reshape(2, -1) - whitening.centre[:, None])
        >>> white.std(axis=1).round(1).tolist()
        [1.0, 1.0]
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
    centre, std = spectra.mean(axis=1), spectra.std(axis=1)
    scale = np.divide(1.0, std, out=np.zeros_like(std), where=std > 1e-12 * abs(centre))
    noise = np.concatenate(differences, axis=1) * scale[:, None]
    noise_root = _inverse_root(_noise_covariance(noise, len(scale)))
    covariance = np.cov(spectra, bias=True).reshape(len(centre), len(centre))
    matrix = _symmetric_whitening(covariance * np.outer(scale, scale), noise_root) * scale
    # The mean square of all whitened values, without computing them.
    size = np.sqrt(max(0.0, float(np.trace(matrix @ covariance @ matrix.T))) / len(centre))
    return Whitening(centre, matrix / size if size > 0 else matrix, covariance)


def _noise_covariance(differences: Float64Array, bands: int) -> Float64Array:
    """(C, C) from (C, N) differences of neighbours, without the largest ones."""
    if differences.shape[1] < 2:
        return np.eye(bands)
    norms = np.linalg.norm(differences, axis=0)
    small = differences[:, norms <= np.quantile(norms, KEPT_DIFFERENCES)]
    covariance = small @ small.T / (2.0 * small.shape[1])  # a difference holds the noise twice
    mean_variance = np.trace(covariance) / bands
    if mean_variance == 0.0:
        return np.eye(bands)
    return np.asarray(covariance + RIDGE * mean_variance * np.eye(bands))


def _inverse_root(covariance: Float64Array) -> Float64Array:
    """(C, C) symmetric inverse square root of a positive definite matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T)


def _symmetric_whitening(covariance: Float64Array, noise_root: Float64Array) -> Float64Array:
    """Whiten the noise of standardised bands, then divide the strongest directions by the root of their deviation."""
    whitened = noise_root @ covariance @ noise_root.T
    values, vectors = np.linalg.eigh((whitened + whitened.T) / 2.0)
    strongest = np.argsort(values)[::-1][:KEPT_DIRECTIONS]
    strongest = strongest[values[strongest] > 1e-12 * max(values.max(), 1e-30)]
    kept, deviation = vectors[:, strongest], np.sqrt(values[strongest])
    return np.asarray((kept / np.sqrt(deviation)) @ kept.T @ noise_root)


def noise_components(cube: Float64Array) -> Float64Array:
    """Compute all noise-whitened components of a cube (rotated, not symmetric), for comparison.

    Args:
        cube: (H, W, C) standardised bands of a whole scene.

    Returns:
        (H, W, C) components, the strongest first, each divided by the root of its deviation.

    Examples:
        >>> import numpy as np
        >>> noise_components(np.random.default_rng(0).normal(size=(9, 8, 3))).shape
        (9, 8, 3)
    """
    bands = cube.shape[-1]
    differences = [(cube[1:] - cube[:-1]), (cube[:, 1:] - cube[:, :-1])]
    noise = np.concatenate([part.reshape(-1, bands).T for part in differences], axis=1)
    whitened = cube.reshape(-1, bands) @ _inverse_root(_noise_covariance(noise, bands))
    whitened = whitened - whitened.mean(axis=0)
    values, vectors = np.linalg.eigh(whitened.T @ whitened / len(whitened))
    order = np.argsort(values)[::-1]
    deviation = np.sqrt(np.maximum(values[order], 1e-30))
    return np.asarray((whitened @ (vectors[:, order] / np.sqrt(deviation))).reshape(cube.shape))
