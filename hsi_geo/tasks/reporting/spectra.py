"""Mean spectra of classes, of the pixels under shots and of mapped pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from hsi_geo.arrays import Float32Array, Float64Array, IntArray
from hsi_geo.io.labels.shot_pixels import ShotPixels
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Window, spread_windows

#: Side of the windows that are read, and about how many mapped pixels are read, in pixels.
SIDE_PX, SAMPLE_PX = 64, 100_000


@dataclass(frozen=True, eq=False)
class ClassSpectra:
    """Mean spectra of classes.

    Attributes:
        of_shots: (K, C) mean spectrum of the pixels under the shots of each class, NaN without any.
        of_map: (K, C) mean spectrum of pixels that were mapped to each class, NaN without any.
        mapped_px: Number of pixels of the map that were read.
    """

    of_shots: Float64Array
    of_map: Float64Array
    mapped_px: int


def class_spectra(
    view: xr.DataArray,
    shots: ShotPixels,
    ids_in: Callable[[Window], npt.NDArray[np.integer]],
    classes: int,
) -> ClassSpectra:
    """Read mean spectra from some windows of a scene: those with shots, and some spread over it.

    Args:
        view: (C, H, W) scene as models see it.
        shots: Pixels under shots.
        ids_in: Function that reads the (height, width) class ids of the map in a window, 0 for none.
        classes: Number of classes K.

    Returns:
        The mean spectra.
    """
    height, width = view.shape[-2:]
    chosen = set(spread_windows(height, width, SIDE_PX, max(1, SAMPLE_PX // SIDE_PX**2)))
    for row, col in zip(shots.rows // SIDE_PX, shots.cols // SIDE_PX, strict=True):
        corner = Window(int(row) * SIDE_PX, int(col) * SIDE_PX, SIDE_PX, SIDE_PX)
        chosen.add(corner.clip(height, width))
    under_shots, on_map = _Means(classes, view.shape[0]), _Means(classes, view.shape[0])
    for window in sorted(chosen, key=lambda w: (w.row, w.col)):
        image, valid = read_window(view, window)
        under_shots.add(image, np.where(valid, shots.mask(window), -1))
        on_map.add(image, np.where(valid, ids_in(window), 0).astype(np.int64) - 1)
    return ClassSpectra(under_shots.means, on_map.means, int(on_map.counts.sum()))


class _Means:
    """Running means of spectra by class."""

    def __init__(self, classes: int, bands: int) -> None:
        self.sums = np.zeros((classes, bands))
        self.counts = np.zeros(classes, np.int64)

    def add(self, image: Float32Array, index: IntArray) -> None:
        """Add pixels.

        Args:
            image: (C, h, w) spectra.
            index: (h, w) class index 0..K - 1 of each pixel, -1 for none.
        """
        for c in np.unique(index[index >= 0]):
            here = index == c
            self.sums[c] += image[:, here].sum(axis=1, dtype=np.float64)
            self.counts[c] += int(here.sum())

    @property
    def means(self) -> Float64Array:
        counts = np.where(self.counts, self.counts, np.nan)[:, None]
        return np.asarray(self.sums / counts)
