"""Quality of a scene, from a sample of its pixels: dead bands, nodata, range of values, statistics."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import xarray as xr

from hsi_geo import timings
from hsi_geo.arrays import BoolArray, Float32Array, Float64Array, IndexArray, IntArray
from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.properties import bands_of, name_of
from hsi_geo.io.scenes.windows import (
    MAX_MAGNITUDE,
    block_shape,
    count_constant,
    physical_values,
    read_window,
    read_window_and_band_mask,
    stored_nodata,
)
from hsi_geo.tiling import Window, spread_windows
from hsi_geo.wavelengths import in_water_vapour

#: Number and side of the sampled windows of a scene that is too large to be read whole.
SAMPLE_WINDOWS, WINDOW_PX = 36, 64

#: Windows become lower where they would decompress more than the first number of bytes, to come near
#: the second.
MANY_BYTES, FEW_BYTES = 12 << 30, 1 << 30

#: Single precision cannot hold scenes whose numbers are mostly smaller, and the number of windows that
#: are read to find out.
MIN_MAGNITUDE, MAGNITUDE_WINDOWS = 1e-30, 9

#: Number of pixels of each window from which the range of values is computed.
PIXELS_A_WINDOW = 200


@dataclass(frozen=True, eq=False)
class QualitySummary:
    """Quality of the sampled windows of a scene.

    Attributes:
        empty: (C,) True for bands without any data.
        constant: (C,) True for bands with data that never vary.
        nodata_share: Share of pixels without data, 0 to 1.
        same_value_share: Share of pixels that count as such because all of their bands have the same value, 0 to 1.
        low: 2nd percentile of the good bands' physical values, NaN without any.
        high: 98th percentile.
    """

    empty: BoolArray
    constant: BoolArray
    nodata_share: float
    same_value_share: float
    low: float
    high: float


class BandRanges:
    """Least and greatest value of each band, updated window by window.

    Args:
        bands: Number of bands, C.

    Attributes:
        minimum: (C,) least value, infinite where there was none.
        maximum: (C,) greatest value, minus infinity where there was none.
        present: (C,) True for bands that had data.
        pixels: Number of pixels with data so far.
    """

    def __init__(self, bands: int) -> None:
        self.minimum = np.full(bands, np.inf)
        self.maximum = np.full(bands, -np.inf)
        self.present = np.zeros(bands, bool)
        self.pixels = 0

    def update(self, spectra: Float32Array, present: BoolArray) -> None:
        """Include more pixels.

        Args:
            spectra: (C, N) physical values of pixels with data.
            present: (C,) True for bands that had data in one of them.
        """
        self.present |= present
        self.pixels += spectra.shape[1]
        if spectra.shape[1]:
            self.minimum = np.minimum(self.minimum, spectra.min(axis=1))
            self.maximum = np.maximum(self.maximum, spectra.max(axis=1))

    @property
    def empty(self) -> BoolArray:
        """(C,) True for bands without any data."""
        return ~self.present

    @property
    def constant(self) -> BoolArray:
        """(C,) True for bands with data that never vary; False after a single pixel."""
        equal = np.equal(self.minimum, self.maximum) & (self.pixels > 1)
        return np.asarray(self.present & equal)

    def expand(self, indices: IndexArray, bands: int) -> BandRanges:
        """The same ranges among all bands of the scene that these were selected from.

        Args:
            indices: (C,) index of each band among all.
            bands: Number of all bands; those that were not selected are empty.
        """
        whole = BandRanges(bands)
        whole.minimum[indices], whole.maximum[indices] = self.minimum, self.maximum
        whole.present[indices], whole.pixels = self.present, self.pixels
        return whole


@dataclass(frozen=True, slots=True)
class BadBand:
    """A band that models leave out.

    Attributes:
        band: Number in the file, from 1.
        centre_nm: Its wavelength in nm.
        why: The reason, in a few words.
    """

    band: int
    centre_nm: float
    why: str


@timings.stage(timings.QUALITY)
def assess_quality(scene: xr.DataArray) -> QualitySummary:
    """Assess the quality of a scene from windows spread over it.

    Args:
        scene: (band, y, x) array; at most 36 windows of 64 x 64 pixels are read.

    Example:
        >>> import numpy as np
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> values = np.array([[[1, 2, -1]], [[3, 3, -1]]])
        >>> scene = scene_from_array(values, np.array([550.0, 660.0]), nodata=-1)
        >>> found = assess_quality(scene)
        >>> found.constant.tolist(), round(found.nodata_share, 2)
        ([False, True], 0.33)
    """
    good = bands_of(scene).good
    ranges = BandRanges(scene.shape[0])
    pixels, same_value = 0, 0
    samples = []
    for window in _sample_windows(scene):
        rows, cols = window.slices
        stored = scene[:, rows, cols].values
        image, valid, present = physical_values(stored, scene)
        same_value += count_constant(stored, stored_nodata(scene))
        pixels += valid.size
        spectra = image[:, valid]
        ranges.update(spectra, present)
        step = max(1, spectra.shape[1] // PIXELS_A_WINDOW)
        samples.append(spectra[good & present][:, ::step].ravel())
    values = np.concatenate(samples)
    low, high = np.percentile(values, (2, 98)) if values.size else (np.nan, np.nan)
    return QualitySummary(
        ranges.empty,
        ranges.constant,
        1 - ranges.pixels / pixels,
        same_value / pixels,
        float(low),
        float(high),
    )


def band_statistics(scene: xr.DataArray) -> xr.Dataset:
    """Statistics of each band, from the same windows as `assess_quality`.

    They are of physical values of pixels with data. A gap in some bands of a pixel counts with the value
    that `windows.read_window` fills it with. A small scene is read whole, a large one is sampled.

    Args:
        scene: (band, y, x) array; at most 36 windows of 64 x 64 pixels are read.

    Returns:
        The variables ``minimum``, ``maximum``, ``mean`` and ``std`` (population standard deviation)
        along ``band``, NaN for bands without data, with the coordinates of the bands. Attributes:
        ``sampled_px``, the number of pixels that were read, and ``nodata_share``, the share of them
        without data.

    Example:
        >>> import numpy as np
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> values = np.array([[[1, 5, -1]], [[3, 3, -1]]])
        >>> scene = scene_from_array(values, np.array([550.0, 660.0]), nodata=-1)
        >>> found = band_statistics(scene)
        >>> found["mean"].values.tolist(), found["std"].values.tolist()
        ([3.0, 3.0], [2.0, 0.0])
    """
    bands = scene.shape[0]
    ranges = BandRanges(bands)
    total, square_total, pixels = np.zeros(bands), np.zeros(bands), 0
    shift: Float64Array | None = None  # keeps squares small, and so their differences exact
    for window in _sample_windows(scene):
        image, valid, present = read_window_and_band_mask(scene, window)
        pixels += valid.size
        spectra = image[:, valid]
        ranges.update(spectra, present)
        if not spectra.shape[1]:
            continue
        if shift is None:
            shift = spectra.mean(axis=1, dtype=np.float64)
        centred = spectra.astype(np.float64) - shift[:, None]
        total += centred.sum(axis=1)
        square_total += np.square(centred).sum(axis=1)
    count = max(1, ranges.pixels)
    offset = np.zeros(bands) if shift is None else shift
    variance = np.maximum(square_total / count - np.square(total / count), 0.0)
    values = {
        "minimum": ranges.minimum,
        "maximum": ranges.maximum,
        "mean": offset + total / count,
        "std": np.sqrt(variance),
    }
    names = [name for name, coord in scene.coords.items() if coord.dims == ("band",)]
    return xr.Dataset(
        {name: ("band", np.where(ranges.present, value, np.nan)) for name, value in values.items()},
        coords={name: scene.coords[name].variable for name in names},
        attrs={"sampled_px": pixels, "nodata_share": 1 - ranges.pixels / pixels},
    )


def _sample_windows(scene: xr.DataArray) -> list[Window]:
    """Windows spread over a scene; lower ones where each decompresses whole rows of a vast scene."""
    height, width = scene.shape[-2:]
    windows = spread_windows(height, width, WINDOW_PX, SAMPLE_WINDOWS)
    rows, cols = block_shape(scene)
    row_bytes = (WINDOW_PX + cols) * scene.shape[0] * scene.dtype.itemsize
    if len(windows) * (WINDOW_PX + rows) * row_bytes <= MANY_BYTES:
        return windows
    lower = max(1, FEW_BYTES // (len(windows) * row_bytes))
    return [dataclasses.replace(window, height=min(lower, window.height)) for window in windows]


def has_data(scene: xr.DataArray, rows: IntArray, cols: IntArray) -> BoolArray:
    """Whether there is data at some pixels of a scene.

    Args:
        scene: (band, y, x) array, read in blocks of 64 x 64 pixels that hold some of the pixels.
        rows: (N,) rows of the pixels.
        cols: (N,) columns of the pixels.

    Returns:
        (N,) True where at least one band has data.

    Example:
        >>> import numpy as np
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> values = np.array([[[1, -1]], [[3, -1]]])
        >>> scene = scene_from_array(values, np.array([550.0, 660.0]), nodata=-1)
        >>> has_data(scene, np.array([0, 0]), np.array([0, 1])).tolist()
        [True, False]
    """
    blocks, block = np.unique(
        np.stack([rows, cols], axis=1) // WINDOW_PX, axis=0, return_inverse=True
    )
    found = np.zeros(len(rows), bool)
    for number, (top, left) in enumerate(blocks * WINDOW_PX):
        here = block.ravel() == number
        _, valid = read_window(scene, Window(int(top), int(left), WINDOW_PX, WINDOW_PX))
        found[here] = valid[rows[here] - top, cols[here] - left]
    return found


def scale_problem(scene: xr.DataArray) -> str | None:
    """The reason why single precision cannot hold a scene's numbers; None if it can.

    Networks compute in single precision, whose range numbers such as 1e-38 or 1e300 exceed.

    Args:
        scene: (band, y, x) array; at most 9 windows of 64 x 64 pixels are read.

    Returns:
        A clause for messages, such as "its numbers are about 1e-38, too small to be counted with".
    """
    if not np.issubdtype(scene.dtype, np.floating):
        return None
    found = []
    for window in spread_windows(scene.shape[-2], scene.shape[-1], WINDOW_PX, MAGNITUDE_WINDOWS):
        rows, cols = window.slices
        size = np.abs(scene[:, rows, cols].values.astype(np.float64)).ravel()
        found.append(size[np.isfinite(size) & (size > 0)])
    sizes = np.concatenate(found)
    if not sizes.size:
        return None
    usual = float(np.median(sizes))
    if MIN_MAGNITUDE <= usual < MAX_MAGNITUDE:
        return None
    word = "small" if usual < MIN_MAGNITUDE else "large"
    return f"its numbers are about {usual:.0e}, too {word} to be counted with"


def require_scale(scene: xr.DataArray) -> None:
    """Refuse a scene whose numbers single precision cannot hold.

    Args:
        scene: (band, y, x) array; see `scale_problem` for what is read.

    Raises:
        SceneError: With the usual number.
    """
    if problem := scale_problem(scene):
        raise SceneError(
            f"scene '{name_of(scene)}' cannot be used: {problem}",
            hint="multiply it by a power of ten, so that its numbers lie between 1e-20 and 1e20",
        )


def bad_bands(scene: xr.DataArray, quality: QualitySummary | BandRanges) -> list[BadBand]:
    """The bands that models leave out, with the reason for each.

    Args:
        scene: (band, y, x) array.
        quality: Empty and constant bands of the whole scene.

    Returns:
        Bands in the order of the array: those of a bad-band list, in water vapour, without data, and
        constant ones.
    """
    bands = bands_of(scene)
    water = in_water_vapour(bands.centres_nm) & ~bands.good
    listed = f"by {scene.attrs.get('bad_band_source', 'bbl')}"
    bad = []
    for index, centre in enumerate(bands.centres_nm):
        if not bands.good[index]:
            why = "in water vapour" if water[index] else listed
        elif quality.empty[index]:
            why = "without data"
        elif quality.constant[index]:
            why = "constant"
        else:
            continue
        number = int(scene["band"].values[index]) if "band" in scene.coords else index + 1
        bad.append(BadBand(number, round(float(centre), 3), why))
    return bad


def kind_of_values(scene: xr.DataArray, quality: QualitySummary) -> str:
    """What physical values are likely to be, by their range, in words.

    Args:
        scene: (band, y, x) array.
        quality: With the range of its values.

    Returns:
        For example "reflectance from 0 to 1" or "radiance or counts".
    """
    if not np.isfinite(quality.high):
        return "no data"
    if quality.low >= -0.5 and quality.high <= 2.0:
        return "reflectance from 0 to 1"
    if quality.high <= 100.0 and quality.low >= -50.0 and np.issubdtype(scene.dtype, np.floating):
        return "radiance, or reflectance in per cent"
    if quality.high <= 20_000.0:
        return "reflectance x 10000, or counts"
    return "radiance or counts"
