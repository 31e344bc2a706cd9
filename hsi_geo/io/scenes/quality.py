"""What a sample of a scene's pixels tells: dead bands, nodata, the range of values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.properties import bands_of, name_of
from hsi_geo.io.scenes.windows import (
    MAX_MAGNITUDE,
    block_shape,
    read_window,
    read_window_and_band_mask,
)
from hsi_geo.tiling import Window, spread_windows
from hsi_geo.wavelengths import in_water_vapour

#: Windows looked at of a scene too large to be read whole.
LOOKS, LOOK_PX = 36, 64

#: Windows are made lower where they would unpack more than the first, to come near the second.
MANY_BYTES, FEW_BYTES = 12 << 30, 1 << 30

#: Numbers of a scene that are mostly smaller cannot be counted with, and windows that tell it.
TINY, SCALE_LOOKS = 1e-30, 9

#: Pixels of a window that the range of values is told from.
SAMPLED_PX = 200


@dataclass(frozen=True, eq=False)
class QualitySummary:
    """What was seen.

    Attributes:
        empty: (C,) True for bands without any data.
        constant: (C,) True for bands with data that never vary.
        nodata_share: Of pixels, 0 to 1.
        low: 2nd percentile of the good bands' physical values, NaN without any.
        high: 98th percentile.
    """

    empty: npt.NDArray[np.bool_]
    constant: npt.NDArray[np.bool_]
    nodata_share: float
    low: float
    high: float


class BandRanges:
    """The range of each band's values, gathered piece by piece.

    Args:
        bands: Number of them.

    Attributes:
        least: (C,) least value, infinite where there was none.
        most: (C,) greatest value.
        seen: (C,) whether there was data.
        pixels: With data, that were looked at.
    """

    def __init__(self, bands: int) -> None:
        self.least = np.full(bands, np.inf)
        self.most = np.full(bands, -np.inf)
        self.seen = np.zeros(bands, bool)
        self.pixels = 0

    def update(self, spectra: npt.NDArray[np.float32], present: npt.NDArray[np.bool_]) -> None:
        """Take in (C, n) spectra of pixels with data, and (C,) which bands had some."""
        self.seen |= present
        self.pixels += spectra.shape[1]
        if spectra.shape[1]:
            self.least = np.minimum(self.least, spectra.min(axis=1))
            self.most = np.maximum(self.most, spectra.max(axis=1))

    @property
    def empty(self) -> npt.NDArray[np.bool_]:
        """(C,) True for bands without any data."""
        return ~self.seen

    @property
    def constant(self) -> npt.NDArray[np.bool_]:
        """(C,) True for bands with data that never vary; a lone pixel tells of none."""
        alike = np.equal(self.least, self.most) & (self.pixels > 1)
        return np.asarray(self.seen & alike)

    def expand(self, indices: npt.NDArray[np.intp], bands: int) -> BandRanges:
        """The same of a scene of more bands, of which these have the given indices."""
        whole = BandRanges(bands)
        whole.least[indices], whole.most[indices] = self.least, self.most
        whole.seen[indices], whole.pixels = self.seen, self.pixels
        return whole


@dataclass(frozen=True, slots=True)
class BadBand:
    """A band that is not learnt from.

    Attributes:
        band: Number in the file, from 1.
        centre_nm: Its wavelength.
        why: In a few words.
    """

    band: int
    centre_nm: float
    why: str


def assess_quality(scene: xr.DataArray) -> QualitySummary:
    """Look at windows spread over a scene."""
    good = bands_of(scene).good
    ranges = BandRanges(scene.shape[0])
    pixels = 0
    samples = []
    for window in _looks(scene):
        image, valid, present = read_window_and_band_mask(scene, window)
        pixels += valid.size
        spectra = image[:, valid]
        ranges.update(spectra, present)
        step = max(1, spectra.shape[1] // SAMPLED_PX)
        samples.append(spectra[good & present][:, ::step].ravel())
    values = np.concatenate(samples)
    low, high = np.percentile(values, (2, 98)) if values.size else (np.nan, np.nan)
    return QualitySummary(
        ranges.empty, ranges.constant, 1 - ranges.pixels / pixels, float(low), float(high)
    )


def _looks(scene: xr.DataArray) -> list[Window]:
    """Windows to look at; lower ones where whole rows of a vast scene are unpacked for each."""
    height, width = scene.shape[-2:]
    windows = spread_windows(height, width, LOOK_PX, LOOKS)
    rows, cols = block_shape(scene)
    row_bytes = (LOOK_PX + cols) * scene.shape[0] * scene.dtype.itemsize
    if len(windows) * (LOOK_PX + rows) * row_bytes <= MANY_BYTES:
        return windows
    lower = max(1, FEW_BYTES // (len(windows) * row_bytes))
    return [dataclasses.replace(window, height=min(lower, window.height)) for window in windows]


def has_data(
    scene: xr.DataArray, rows: npt.NDArray[np.int64], cols: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """(N,) whether there is data in some pixels of a scene, read block by block."""
    blocks, block = np.unique(
        np.stack([rows, cols], axis=1) // LOOK_PX, axis=0, return_inverse=True
    )
    found = np.zeros(len(rows), bool)
    for number, (top, left) in enumerate(blocks * LOOK_PX):
        here = block.ravel() == number
        _, valid = read_window(scene, Window(int(top), int(left), LOOK_PX, LOOK_PX))
        found[here] = valid[rows[here] - top, cols[here] - left]
    return found


def scale_problem(scene: xr.DataArray) -> str | None:
    """What is wrong with the size of a scene's numbers, in words; None where nothing is.

    Networks count in single precision, which numbers such as 1e-38 or 1e300 leave.
    """
    if not np.issubdtype(scene.dtype, np.floating):
        return None
    found = []
    for window in spread_windows(scene.shape[-2], scene.shape[-1], LOOK_PX, SCALE_LOOKS):
        rows, cols = window.slices
        size = np.abs(scene[:, rows, cols].values.astype(np.float64)).ravel()
        found.append(size[np.isfinite(size) & (size > 0)])
    sizes = np.concatenate(found)
    if not sizes.size:
        return None
    usual = float(np.median(sizes))
    if TINY <= usual < MAX_MAGNITUDE:
        return None
    said = "small" if usual < TINY else "large"
    return f"its numbers are about {usual:.0e}, too {said} to be counted with"


def require_scale(scene: xr.DataArray) -> None:
    """Refuse a scene whose numbers are too small or too large to be counted with.

    Raises:
        SceneError: With the usual number.
    """
    if problem := scale_problem(scene):
        raise SceneError(
            f"scene '{name_of(scene)}' cannot be used: {problem}",
            hint="multiply it by a power of ten, so that its numbers lie between 1e-20 and 1e20",
        )


def bad_bands(scene: xr.DataArray, seen: QualitySummary | BandRanges) -> list[BadBand]:
    """The bands that are not learnt from, and why.

    Args:
        scene: The scene.
        seen: What was seen of all its bands.
    """
    bands = bands_of(scene)
    water = in_water_vapour(bands.centres_nm) & ~bands.good
    listed = f"by {scene.attrs.get('bad_band_source', 'bbl')}"
    bad = []
    for index, centre in enumerate(bands.centres_nm):
        if not bands.good[index]:
            why = "in water vapour" if water[index] else listed
        elif seen.empty[index]:
            why = "without data"
        elif seen.constant[index]:
            why = "constant"
        else:
            continue
        number = int(scene["band"].values[index]) if "band" in scene.coords else index + 1
        bad.append(BadBand(number, round(float(centre), 3), why))
    return bad


def kind_of_values(scene: xr.DataArray, seen: QualitySummary) -> str:
    """What the physical values look like, in words."""
    if not np.isfinite(seen.high):
        return "no data"
    if seen.low >= -0.5 and seen.high <= 2.0:
        return "reflectance from 0 to 1"
    if seen.high <= 100.0 and seen.low >= -50.0 and np.issubdtype(scene.dtype, np.floating):
        return "radiance, or reflectance in per cent"
    if seen.high <= 20_000.0:
        return "reflectance x 10000, or counts"
    return "radiance or counts"
