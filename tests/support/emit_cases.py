"""A small EMIT swath that is rotated on its map."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from builders import cube_of
from pyproj import CRS

from hsi_geo.arrays import AnyArray

NM = [381.0, 900.0, 1380.0, 2400.0]
FWHM = [8.4, 8.5, 8.6, 8.7]


def emit_swath() -> AnyArray:
    """(downtrack 6, crosstrack 5, bands 4); -9999 where the swath itself has no data."""
    swath = cube_of(4, 6, 5, "float32").transpose(1, 2, 0).copy()
    swath[2, 3] = -9999.0
    return swath


def emit_lookup() -> tuple[AnyArray, AnyArray]:
    """(9, 8) columns and rows from 1, of a swath that is rotated on the map; 0 is none."""
    rows, cols = np.indices((9, 8))
    line, sample = rows + cols // 3 - 1, cols - rows // 3 - 1
    inside = (line >= 0) & (line < 6) & (sample >= 0) & (sample < 5)
    return np.where(inside, sample + 1, 0), np.where(inside, line + 1, 0)


def write_emit(path: Path) -> Path:
    """Write a file with the groups and names of EMIT L2A RFL."""
    glt_x, glt_y = emit_lookup()
    with h5py.File(path, "w") as file:
        file.attrs["geotransform"] = [10.0, 0.001, -0.0, 50.0, -0.0, -0.002]
        file.attrs["spatial_ref"] = CRS.from_epsg(4326).to_wkt()
        data = file.create_dataset("reflectance", data=emit_swath(), chunks=(2, 5, 4))
        data.attrs["_FillValue"] = np.float32(-9999)
        location = file.create_group("location")
        location["glt_x"], location["glt_y"] = glt_x.astype("int32"), glt_y.astype("int32")
        location["lat"] = location["lon"] = np.zeros((6, 5))
        bands = file.create_group("sensor_band_parameters")
        bands["wavelengths"], bands["fwhm"] = np.array(NM, "float32"), np.array(FWHM, "float32")
        bands["wavelengths"].attrs["units"] = "nm"
        bands["good_wavelengths"] = np.array([1, 0, 0, 1], "uint8")
        axes = {"downtrack": 6, "crosstrack": 5, "bands": 4, "ortho_y": 9, "ortho_x": 8}
        for name, size in axes.items():
            file[name] = np.arange(size)
            file[name].make_scale(name)
        for dataset, names in (
            (data, ("downtrack", "crosstrack", "bands")),
            (location["glt_x"], ("ortho_y", "ortho_x")),
            (location["glt_y"], ("ortho_y", "ortho_x")),
            (location["lat"], ("downtrack", "crosstrack")),
            (bands["wavelengths"], ("bands",)),
            (bands["fwhm"], ("bands",)),
            (bands["good_wavelengths"], ("bands",)),
        ):
            for axis, name in enumerate(names):
                dataset.dims[axis].attach_scale(file[name])
    return path
