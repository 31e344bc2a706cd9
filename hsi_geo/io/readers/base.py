"""What a reader has to tell about a scene, whatever file it sits in."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hsi_geo.tiling import Grid, Window
from hsi_geo.wavelengths import Bands

Array = npt.NDArray[Any]


class SceneFile(Protocol):
    """A scene on disk: its description, and a way to read a window of it.

    It must survive pickling, so that DataLoader workers and Dask can open it by themselves.
    """

    @property
    def name(self) -> str:
        """The path as the user gave it."""

    @property
    def grid(self) -> Grid:
        """Size and place."""

    @property
    def bands(self) -> Bands | None:
        """Wavelengths, None if the file has none; raises WavelengthError if they are none."""

    @property
    def good(self) -> npt.NDArray[np.bool_] | None:
        """(C,) the file's own bad-band list, False where bad; None if it has none."""

    @property
    def band_count(self) -> int:
        """C, the number of bands."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """How pixels are stored."""

    @property
    def nodata(self) -> npt.NDArray[np.float64]:
        """(C,) stored value that means no data, NaN where none is declared."""

    @property
    def scale(self) -> npt.NDArray[np.float64]:
        """(C,) factor from stored to physical values."""

    @property
    def offset(self) -> npt.NDArray[np.float64]:
        """(C,) added after scaling."""

    @property
    def driver(self) -> str:
        """The format, in GDAL's words."""

    def read(self, bands: npt.NDArray[np.intp], window: Window) -> Array:
        """Stored values of some bands in a window inside the scene.

        Args:
            bands: (B,) indices from 0, in any order.
            window: Pixels inside the grid.

        Returns:
            (B, height, width) in the file's own type.
        """
