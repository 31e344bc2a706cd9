"""Bands that are constant in a scene and varied where the model was adapted: of a dead detector, or lost in a file.

`adapt` gives such bands no weight. A model of another scene has weights for them, and one wrong value moves every pixel.
So they are left out, as if the scene lacked them: the model estimates them from the others. Some constant bands are
right, as a reflectance of 0 in the infrared of a tile of water. These fit the other bands, and are used.

Letters for shapes: C bands of the scene, N pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from hsi_geo.arrays import BoolArray, Float32Array, Float64Array
from hsi_geo.errors import WavelengthError
from hsi_geo.io.scenes.declared_values import SCALE, by_band
from hsi_geo.io.scenes.properties import bands_of, name_of
from hsi_geo.io.scenes.quality import assess_quality
from hsi_geo.models.classifier import estimate_bands, resample_stats
from hsi_geo.models.whitening import SpectralStats
from hsi_geo.progress import Reporter
from hsi_geo.tasks.inference.domain_shift import MIN_PX

#: A band varied where the model was adapted if its deviation there is above this share of the greatest one.
VARYING_SHARE = 1e-6

#: Distance of a constant band from its estimate by the others, in standard deviations of the estimate, up to which
#: its value is right.
FITTING_DEVIATIONS = 5.0

#: Share of its bands that a model needs.
FEWEST_SHARE = 0.5

#: Number of bands that a message names.
SHOWN_BANDS = 6


@dataclass(frozen=True, eq=False)
class ConstantBands:
    """Bands of a scene that do not vary, and varied where the model was adapted.

    Attributes:
        which: (C,) True for these bands.
        fit: Whether the values of all of them fit the other bands. Else the map is made without them.
    """

    which: BoolArray
    fit: bool

    @property
    def missing(self) -> BoolArray:
        """(C,) True for bands that the map is made without."""
        return np.zeros_like(self.which) if self.fit else self.which

    def warn(self, view: xr.DataArray, reporter: Reporter) -> None:
        """Name the bands in a warning, if there are some.

        Args:
            view: (C, H, W) scene as `select_good_bands` returns it.
            reporter: Receives the warning.
        """
        if self.which.any():
            they, them = ("it fits", "it") if self.which.sum() == 1 else ("they fit", "them")
            made = f"with {them}, since {they} the other bands" if self.fit else f"without {them}"
            reporter.warning(
                f"{_finding(view, self.which)}, which varied where the model was adapted: the map is made {made}"
            )


def find_constant(
    spectra: Float32Array, spectral: SpectralStats, centres_nm: Float64Array
) -> BoolArray:
    """Bands that have one value in a sample of a scene, and varied where a model was adapted.

    Args:
        spectra: (C, N) physical values of pixels with data.
        spectral: Bands and statistics of the model.
        centres_nm: (C,) band centres of the scene in nm, increasing.

    Returns:
        (C,) True for these bands; nowhere if there are few pixels, or if all are the same.
    """
    if spectra.shape[1] < MIN_PX:
        return np.zeros(len(spectra), bool)
    constant = spectra.min(axis=1) == spectra.max(axis=1)
    return np.asarray(constant & _varied(spectral, centres_nm) & ~constant.all())


def judge_constant(
    constant: BoolArray,
    spectra: Float32Array,
    spectral: SpectralStats,
    view: xr.DataArray,
) -> ConstantBands:
    """Decide which constant bands fit the others.

    Args:
        constant: (C,) True for constant bands, from `find_constant`.
        spectra: (C, N) physical values of pixels with data, on the model's scale.
        spectral: Bands and statistics of the model.
        view: (C, H, W) scene as `select_good_bands` returns it, on that scale.

    Raises:
        WavelengthError: If too few bands are left for the model.
    """
    if not constant.any():
        return ConstantBands(constant, True)
    centres = bands_of(view).centres_nm
    values = spectra.astype(np.float64)
    expected, deviation = estimate_bands(
        spectral, centres, ~constant, values[~constant], _steps(view)
    )
    distance = np.sqrt(np.square(values[constant] - expected).mean(axis=1))
    fits = bool((distance <= FITTING_DEVIATIONS * deviation).all())
    found = ConstantBands(constant, fits and not assess_quality(view).empty[constant].any())
    needed = _varied(spectral, centres)
    left = int((needed & ~found.missing).sum())
    if left < FEWEST_SHARE * needed.sum():
        raise WavelengthError(
            f"{_finding(view, constant)}: of {int(needed.sum())} bands that the model needs, {left} "
            f"{'is' if left == 1 else 'are'} left",
            hint="look at the scene with hsi-geo info, or adapt a model to it",
        )
    return found


def _steps(view: xr.DataArray) -> Float64Array:
    """(C,) physical values of one step of stored integers, 0 for floats. Coarse steps make a band constant, too."""
    is_whole = np.issubdtype(view.dtype, np.integer)
    return np.abs(by_band(view, SCALE, 1.0)) if is_whole else np.zeros(view.shape[0])


def _varied(spectral: SpectralStats, centres_nm: Float64Array) -> BoolArray:
    """(C,) True for bands of a scene that varied where a model was adapted."""
    std = resample_stats(spectral, centres_nm).std
    return np.asarray(std > VARYING_SHARE * std.max(initial=0.0))


def _finding(view: xr.DataArray, which: BoolArray) -> str:
    """A clause that names constant bands by their numbers in the file and their centres."""
    indices, centres = np.flatnonzero(which), bands_of(view).centres_nm
    numbers = view["band"].values if "band" in view.coords else np.arange(1, len(which) + 1)
    shown = [f"{int(numbers[i])} ({centres[i]:.0f} nm)" for i in indices[:SHOWN_BANDS]]
    if len(indices) > len(shown):
        shown.append(f"{len(indices) - len(shown)} more")
    listed = f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]
    return (
        f"scene '{name_of(view)}' has the same value, or no data, in all sampled pixels of "
        f"band{'s' if len(indices) > 1 else ''} {listed}"
    )
