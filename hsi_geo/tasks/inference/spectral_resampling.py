"""Spectra of libraries at the bands of a scene, in the scene's scale."""

from __future__ import annotations

import numpy as np

from hsi_geo.arrays import Float64Array
from hsi_geo.io.labels.spectral_library import LibrarySpectrum

#: Standard deviations of a Gaussian on both sides of a band's centre that count.
_REACH = 3.0

#: Gap between two wavelengths of a spectrum, in widths of the band, across which nothing is interpolated.
_GAP_WIDTHS = 3.0

#: Values that 99 in 100 numbers of reflectance do not exceed, by the number that means reflectance 1.
_LIMITS = ((1.6, 1.0), (160.0, 100.0), (np.inf, 10_000.0))


def resample(
    spectrum: LibrarySpectrum, centres_nm: Float64Array, fwhm_nm: Float64Array
) -> Float64Array:
    """A spectrum as a sensor with Gaussian bands sees it.

    Where the spectrum has bands of its own width, only the width that it lacks is added. A band that is narrower than
    the steps of the spectrum is interpolated between its neighbours.

    Args:
        spectrum: Spectrum of a library.
        centres_nm: (B,) centres of the sensor's bands in nm.
        fwhm_nm: (B,) their full widths at half maximum in nm.

    Returns:
        (B,) values, NaN for bands that the spectrum does not cover.

    Examples:
        >>> nm = np.arange(400.0, 1000.0)
        >>> one = LibrarySpectrum("a line", nm, 0.001 * nm)
        >>> resample(one, np.array([350.0, 500.0, 700.5]), np.array([10.0, 10.0, 10.0])).round(4).tolist()
        [nan, 0.5, 0.7005]
    """
    usable = np.isfinite(spectrum.values)
    nm, values = spectrum.centres_nm[usable], spectrum.values[usable]
    if len(nm) < 2:
        return np.full(len(centres_nm), np.nan)
    steps = np.gradient(nm)
    own = steps if spectrum.fwhm_nm is None else spectrum.fwhm_nm[usable]
    found = np.full(len(centres_nm), np.nan)
    for index, (centre, width) in enumerate(zip(centres_nm, fwhm_nm, strict=True)):
        at = int(np.searchsorted(nm, centre))
        near = slice(max(0, at - 1), min(len(nm), at + 1))
        step = float(np.diff(nm[near])[0]) if near.stop - near.start == 2 else np.inf
        beyond = max(nm[0] - centre, centre - nm[-1], 0.0)
        if beyond > 0.5 * max(width, float(steps[0 if at == 0 else -1])):
            continue
        is_gap = step > _GAP_WIDTHS * max(width, float(np.median(steps)))
        if is_gap and float(np.abs(nm - centre).min()) > 0.5 * width:
            continue
        lacking = np.sqrt(max(width**2 - float(np.median(own[near])) ** 2, 0.0))
        sigma = lacking / np.sqrt(8 * np.log(2))
        inside = np.abs(nm - centre) <= _REACH * sigma
        if inside.sum() < 3:
            found[index] = np.interp(centre, nm, values)
            continue
        weights = np.exp(-0.5 * ((nm[inside] - centre) / sigma) ** 2) * steps[inside]
        found[index] = (weights * values[inside]).sum() / weights.sum()
    return found


def reflectance_unit(values: Float64Array) -> float:
    """The number that means a reflectance of 1, by the size of the values: 1, 100 or 10,000.

    Args:
        values: Values of spectra, of any shape; NaN is left out.

    Examples:
        >>> reflectance_unit(np.array([0.05, 0.4])), reflectance_unit(np.array([500.0, 4000.0]))
        (1.0, 10000.0)
    """
    known = np.abs(values[np.isfinite(values)])
    usual = float(np.percentile(known, 99)) if known.size else 0.0
    return next(unit for limit, unit in _LIMITS if usual <= limit)
