"""Three bands of a scene that show it in colours, and the range of values that is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from hsi_geo.arrays import BoolArray, Float64Array
from hsi_geo.display.images import FALSE_COLOUR_NM
from hsi_geo.io.scenes.properties import bands_of
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import spread_windows
from hsi_geo.wavelengths import Bands

#: Wavelengths in nm for red, green and blue, by the name of the composite; the first that fits is taken.
COMPOSITES = {
    "true colour": (650.0, 550.0, 470.0),
    "colour infrared": FALSE_COLOUR_NM,
    "short-wave infrared": (2200.0, 1650.0, 1250.0),
}

#: Names of what is shown where no composite fits.
SPREAD, GREY = "three bands of the range", "one band"

#: A band stands for a wavelength up to this distance, in nm.
TOLERANCE_NM = 40.0

#: Shares of the values, in per cent, between which colours are drawn.
CUT_PERCENT = (2.0, 98.0)

#: Size and number of the windows that the range of values is taken from.
WINDOW_PX, WINDOWS = 64, 144


@dataclass(frozen=True, slots=True)
class Composite:
    """Bands for red, green and blue.

    Attributes:
        name: What it shows, such as "true colour".
        bands: Numbers of the bands in the scene, from 1.
        centres_nm: Their band centres.
        low: Physical value that is drawn dark, by band.
        high: Physical value that is drawn bright, by band.
    """

    name: str
    bands: tuple[int, ...]
    centres_nm: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def make_composites(scene: xr.DataArray, wanted: str | None = None) -> list[Composite]:
    """Choose three good bands, and the range of values to draw.

    Args:
        scene: (band, y, x) array.
        wanted: A key of `COMPOSITES`. None, or one whose bands the scene lacks, takes the first that fits.

    Returns:
        The composite, and after it the others that the scene has the bands for. Bands are spread over
        the range where none fits; a scene of one or two good bands is grey.

    Example:
        >>> import numpy as np
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> values = np.arange(12.0).reshape(3, 2, 2)
        >>> found = make_composites(scene_from_array(values, np.array([470.0, 560.0, 640.0])))
        >>> [(one.name, one.bands) for one in found]
        [('true colour', (3, 2, 1))]
    """
    bands = bands_of(scene)
    choices = dict([choose_bands(bands, name) for name in (wanted, *COMPOSITES)])
    used = sorted({band for chosen in choices.values() for band in chosen})
    low, high = _range(scene, used)
    return [
        Composite(
            name,
            tuple(int(scene["band"].values[i]) for i in chosen),
            tuple(float(bands.centres_nm[i]) for i in chosen),
            tuple(low[used.index(i)] for i in chosen),
            tuple(high[used.index(i)] for i in chosen),
        )
        for name, chosen in choices.items()
    ]


def choose_bands(bands: Bands, wanted: str | None = None) -> tuple[str, list[int]]:
    """Choose the bands of a composite.

    Args:
        bands: Bands of a scene.
        wanted: See `make_composites`.

    Returns:
        Name of the composite, and indices of its bands for red, green and blue; one index for grey.
    """
    good = bands.good if bands.good.any() else np.ones(len(bands.good), bool)
    names = [*([wanted] if wanted else []), *COMPOSITES]
    for name in names:
        nearest = [_nearest(bands.centres_nm, good, nm) for nm in COMPOSITES[name]]
        if all(
            abs(bands.centres_nm[i] - nm) <= TOLERANCE_NM
            for i, nm in zip(nearest, COMPOSITES[name], strict=True)
        ):
            return name, nearest
    order = np.flatnonzero(good)[np.argsort(bands.centres_nm[good], kind="stable")]
    if len(order) < 3:
        return GREY, [int(order[0])]
    return SPREAD, [int(order[-1]), int(order[len(order) // 2]), int(order[0])]


def _nearest(centres_nm: Float64Array, good: BoolArray, wanted_nm: float) -> int:
    return int(np.where(good, np.abs(centres_nm - wanted_nm), np.inf).argmin())


def _range(
    scene: xr.DataArray, chosen: Sequence[int]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Least and greatest value to draw of each band, from windows spread over the scene."""
    part = scene.isel(band=list(chosen))
    samples = [np.empty((len(chosen), 0), np.float32)]
    height, width = scene.shape[-2:]
    for window in spread_windows(height, width, WINDOW_PX, WINDOWS):
        image, valid = read_window(part, window)
        samples.append(image[:, valid])
    values = np.concatenate(samples, axis=1)
    if not values.shape[1]:
        return (0.0,) * len(chosen), (1.0,) * len(chosen)
    low, high = np.percentile(values, CUT_PERCENT, axis=1)
    high = np.where(high > low, high, low + 1.0)
    return tuple(map(float, low)), tuple(map(float, high))
