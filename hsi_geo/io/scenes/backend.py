"""xarray's engine ``hsi_geo``: ``xarray.open_dataset(path, engine="hsi_geo")`` opens any scene."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import xarray as xr
from xarray.backends import BackendEntrypoint

from hsi_geo.io.files.paths import exists, is_gdal_name

#: Name of the data variable, the same as that of rioxarray's engine ``rasterio``.
VARIABLE = "band_data"


class HsiGeoBackend(BackendEntrypoint):
    """Opens what `open_scene` opens, as a Dataset with the data variable ``band_data``.

    The variable is the array that `open_scene` returns. xarray uses the engine only if it is asked for by
    its name.
    """

    description: ClassVar[str] = "Open hyperspectral scenes with wavelengths, using hsi-geo"
    url: ClassVar[str] = "https://github.com/hsi-geo/hsi-geo"
    open_dataset_parameters: ClassVar[tuple[str, ...] | None] = (
        "filename_or_obj",
        "drop_variables",
        "wavelengths",
        "mask",
        "grid",
        "straighten",
        "pixel_size",
        "dem",
        "asset",
        "follow_links",
    )

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        wavelengths: str | None = None,
        mask: str = "auto",
        grid: str | None = None,
        straighten: bool = True,
        pixel_size: float | None = None,
        dem: str | None = None,
        asset: str | None = None,
        follow_links: bool = False,
    ) -> xr.Dataset:
        """Open a scene without reading its pixels.

        Args:
            filename_or_obj: Path or name of the scene; see `open_scene`.
            drop_variables: Names of coordinates to leave out.
            wavelengths: Replaces the band centres of the file; see `open_scene`.
            mask: Pixels that count as missing; see `open_scene`.
            grid: Grid that the file is read on; see `open_scene`.
            straighten: Whether a rotated file is put onto an upright grid; see `open_scene`.
            pixel_size: Side of the pixels of the grid; see `open_scene`.
            dem: Raster of heights; see `open_scene`.
            asset: Asset of a STAC item; see `open_scene`.
            follow_links: Whether other hosts are asked; see `open_scene`.

        Returns:
            A Dataset with the (band, y, x) variable ``band_data`` and the coordinates of `open_scene`.

        Raises:
            HsiGeoError: If the scene cannot be opened; the message gives the reason.
        """
        from hsi_geo.io.scenes.scene import open_scene  # readers are slow to import

        name = _gdal_name(os.fspath(filename_or_obj))
        scene = open_scene(
            name,
            wavelengths=wavelengths,
            mask=mask,
            grid=grid,
            straighten=straighten,
            pixel_size=pixel_size,
            dem=dem,
            asset=asset,
            follow_links=follow_links,
        )
        dataset = scene.to_dataset(name=VARIABLE)
        if drop_variables is None:
            return dataset
        names = [drop_variables] if isinstance(drop_variables, str) else list(drop_variables)
        return dataset.drop_vars(names, errors="ignore")

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """False: xarray uses this engine only if it is asked for by its name.

        Args:
            filename_or_obj: Path or object that xarray is to open.
        """
        return False


def _gdal_name(path: str) -> str:
    """A name that only GDAL knows, as it was before xarray made an absolute path of it."""
    if exists(path):
        return path
    path = re.sub(r"^(/vsi\w+/\w+:)/(?!/)", r"\1//", path)  # /vsicurl/https:/host
    here = f"{Path.cwd()}{os.sep}"
    name = path.removeprefix(here)
    return name if is_gdal_name(name) else path
