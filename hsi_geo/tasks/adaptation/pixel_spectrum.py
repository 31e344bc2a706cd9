"""The spectrum of a pixel, beside those of the classes of a preview."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from hsi_geo.arrays import Float64Array
from hsi_geo.io.scenes.properties import bands_of, grid_of, select_good_bands
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Window

if TYPE_CHECKING:
    from hsi_geo.tasks.adaptation.preview import Preview


@dataclass(frozen=True, eq=False)
class PixelSpectrum:
    """Spectrum of a pixel, beside the mean spectra of the classes' shots.

    Attributes:
        row: Row of the pixel in the scene.
        col: Column of the pixel.
        x: Coordinate of the pixel's centre in the scene's CRS.
        y: The same.
        centres_nm: (C,) centres of the good bands in nm, ascending.
        values: (C,) physical values; NaN if the pixel has no data.
        class_name: Class of the pixel in the last preview; None if it is not known.
        means: (C,) mean physical values of the shots of each class, by its name.
    """

    row: int
    col: int
    x: float
    y: float
    centres_nm: Float64Array
    values: Float64Array
    class_name: str | None
    means: Mapping[str, Float64Array]


def read_pixel(scene: xr.DataArray, row: int, col: int, preview: Preview | None) -> PixelSpectrum:
    """Read the spectrum of a pixel.

    Args:
        scene: (band, y, x) array that can be read by windows.
        row: Row of the pixel.
        col: Column of the pixel.
        preview: Preview that names its class; None if there is none yet.
    """
    view, grid = select_good_bands(scene), grid_of(scene)
    image, valid = read_window(view, Window(row, col, 1, 1))
    values = image[:, 0, 0].astype(np.float64)
    x, y = grid.transform @ (col + 0.5, row + 0.5)
    return PixelSpectrum(
        row,
        col,
        x,
        y,
        bands_of(view).centres_nm,
        values if valid[0, 0] else np.full(len(values), np.nan),
        None if preview is None else _class_at(preview, x, y),
        {} if preview is None else preview.class_spectra,
    )


def _class_at(preview: Preview, x: float, y: float) -> str | None:
    """Name of the class of a place; None outside the preview and without data."""
    rows, cols = preview.grid.pixels_at(np.array([x]), np.array([y]))
    row, col = int(rows[0]), int(cols[0])
    if not (0 <= row < preview.grid.height and 0 <= col < preview.grid.width):
        return None
    class_id = int(preview.class_ids[row, col])
    return preview.classes[class_id - 1].name if class_id else None
