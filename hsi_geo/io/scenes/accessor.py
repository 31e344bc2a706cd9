"""The accessor ``scene.hsi``: grid, bands, good bands and band statistics of an array."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

import xarray as xr

from hsi_geo.arrays import BoolArray, Float32Array, UInt8Array
from hsi_geo.display.described import Described
from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.computed_values import physical
from hsi_geo.io.scenes.coordinates import in_order
from hsi_geo.io.scenes.properties import bands_of, grid_of, name_of, select_good_bands
from hsi_geo.io.scenes.quality import band_statistics
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Grid, Window
from hsi_geo.wavelengths import Bands

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hsi_geo.display.summaries import Summary


@xr.register_dataarray_accessor("hsi")  # type: ignore[no-untyped-call]
class HsiAccessor(Described):
    """Spatial and spectral properties of a scene, as ``scene.hsi``.

    Importing `hsi_geo.io.scenes.scene` registers it for every DataArray. Each property is computed once
    for each array object. After a change in place (of coordinates, CRS or attributes) use a new object,
    such as ``scene.copy(deep=False)``.

    Args:
        scene: (band, y, x) array, usually from `open_scene`.

    Example:
        >>> import numpy as np
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> values = np.arange(1.0, 13.0).reshape(3, 2, 2)
        >>> scene = scene_from_array(values, np.array([660.0, 1400.0, 550.0]))
        >>> scene.hsi.grid.shape
        (2, 2)
        >>> scene.hsi.bands.good.tolist()  # 1400 nm is water vapour
        [True, False, True]
        >>> scene.hsi.good["wavelength"].values.tolist()
        [550.0, 660.0]
        >>> scene.hsi.statistics["mean"].values.tolist()
        [2.5, 6.5, 10.5]
        >>> scene.hsi
        Scene array: 2 rows, 2 columns, 3 bands
          grid: no coordinate reference system, pixels of 1 x 1
          values: float64
          good bands: visible (550-660 nm) 2, short-wave infrared 1 (1400-1400 nm) 0
    """

    def __init__(self, scene: xr.DataArray) -> None:
        with suppress(SceneError):  # each property says what it misses
            scene = in_order(scene, name_of(scene))
        self._scene = scene

    @cached_property
    def grid(self) -> Grid:
        """Size, transform and CRS."""
        return grid_of(self._scene)

    @cached_property
    def bands(self) -> Bands:
        """Band centres and widths in nm, and the flags of good bands, in the array's order.

        Raises:
            WavelengthError: If the array has no coordinate ``wavelength`` along ``band``.
        """
        return bands_of(self._scene)

    @cached_property
    def good(self) -> xr.DataArray:
        """The good bands by increasing wavelength, the input of every model; a lazy array."""
        return select_good_bands(self._scene)

    @cached_property
    def statistics(self) -> xr.Dataset:
        """Statistics of each band over a sample of windows; see `quality.band_statistics`.

        The first access reads the sample: at most 36 windows of 64 x 64 pixels.
        """
        return band_statistics(self._scene)

    def read(self, window: Window | None = None) -> tuple[Float32Array, BoolArray]:
        """Read physical values and their validity; see `windows.read_window`.

        Args:
            window: The pixels to read, in rows and columns of the scene. None reads the whole scene.

        Returns:
            image: (C, height, width) scaled values, 0 where there is no data.
            valid: (height, width) True where there is data.
        """
        return read_window(self._scene, self.grid.window if window is None else window)

    def physical(self) -> xr.DataArray:
        """Read physical values to compute with; see `computed_values.physical`.

        Arithmetic of xarray keeps nodata value, scale and offset, which then apply to the result again. An array of
        physical values declares none.

        Returns:
            (band, y, x) float32 array in memory: scaled values, NaN where there is no data.
        """
        return physical(self._scene)

    def picture(self, side_px: int = 900) -> tuple[UInt8Array, str]:
        """Read the scene in colour infrared, or another composite that it has the bands for.

        Args:
            side_px: Longest side of the picture in pixels. Every n-th row and column is read.

        Returns:
            picture: (h, w, 3) colours from 0 to 255, white where there is no data.
            title: Name of the composite, and its wavelengths.
        """
        from hsi_geo.io.scenes.previews import composite

        return composite(self._scene, side_px)

    def plot(
        self,
        composite: str = "colour infrared",
        *,
        show_titles: bool = True,
        suptitle: str | None = None,
    ) -> Figure:
        """Draw the scene with matplotlib.

        Args:
            composite: Bands that are shown as red, green and blue: "true colour", "colour infrared" or
                "short-wave infrared". Another is taken if the scene lacks them.
            show_titles: Whether the name of the composite and its wavelengths are shown above the image.
            suptitle: Title of the figure; None for none.

        Returns:
            The figure of `matplotlib.pyplot`. In a script ``matplotlib.pyplot.show()`` opens it.

        Raises:
            OptionError: If there is no such composite.
        """
        from hsi_geo.io.scenes.scene_summary import plot_scene

        return plot_scene(
            self._scene, composite_name=composite, show_titles=show_titles, suptitle=suptitle
        )

    def _summary(self, *, with_picture: bool) -> Summary:
        from hsi_geo.io.scenes.scene_summary import summarize_scene

        return summarize_scene(self._scene, with_picture=with_picture)
