"""Reflectance of NEON's airborne spectrometer, in HDF5.

Layout: NEON's data products DP3.30006.001 and .002.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pyproj import CRS

from hsi_geo.arrays import Float64Array
from hsi_geo.io.files.paths import stamp
from hsi_geo.io.readers.base import SceneFile, blocks_of, per_band
from hsi_geo.io.readers.crs import parse_crs
from hsi_geo.io.readers.envi_grid import map_info
from hsi_geo.io.readers.hdf5_access import HdfPixels, cube_of, numbers, sizes_of, text_of
from hsi_geo.io.readers.neon_flags import neon_flags
from hsi_geo.tiling import Grid
from hsi_geo.wavelengths import DeclaredBands, centres_in_nm

if TYPE_CHECKING:
    import h5py


def read_neon(file: h5py.File, path: str, group: str) -> SceneFile:
    """Describe a reflectance file: the cube (rows x columns x bands), with bad bands from its band windows.

    Args:
        file: The open file.
        path: Path of the file.
        group: Path of the group "Reflectance" of the site.
    """
    dataset = f"{group}/Reflectance_Data"
    metadata = file[f"{group}/Metadata"]
    spectral, system = metadata["Spectral_Data"], metadata["Coordinate_System"]
    bands = np.size(spectral["Wavelength"]) if "Wavelength" in spectral else None
    pixels, data = cube_of(file, path, dataset, "yxb", bands)
    count, height, width = sizes_of(data.shape, pixels.order)
    found, warnings = _neon_bands(spectral, count)
    centres = np.full(count, np.nan) if found is None else centres_in_nm(found)
    bad = np.zeros(count, bool)
    for name, window in file[group].attrs.items():
        if name.startswith("Band_Window") and name.endswith("Nanometers"):
            low, high = numbers(window)
            bad |= (low <= centres) & (centres <= high)
    quality, flag_warnings = neon_flags(
        file[group],
        (height, width),
        lambda name: HdfPixels(path=path, dataset=f"{group}/{name}", order="yx", stamp=stamp(path)),
    )
    # Tiles of other years, and copies, spell them in small letters.
    attributes = {name.lower(): value for name, value in data.attrs.items()}
    return SceneFile(
        name=path,
        driver=f"NEON {'bidirectional ' if 'bidirectional' in Path(path).name else ''}HDF5",
        grid=Grid(height, width, map_info(text_of(system["Map_Info"][()])), _crs(system, path)),
        found=found,
        found_warnings=tuple(warnings),
        good=~bad if bad.any() else None,
        good_source="Band_Window",
        dtype=data.dtype,
        nodata=per_band(attributes.get("data_ignore_value"), count),
        scale=_scale(attributes.get("scale_factor", 1.0), count),
        offset=per_band(0.0, count),
        pixels=pixels,
        quality=quality,
        warnings=flag_warnings,
        block_px=blocks_of(data.chunks, pixels.order),
    )


def _crs(system: h5py.Group, path: str) -> CRS:
    """The CRS that the group names by its code, in words, or by its parameters."""
    texts = {
        name: text_of(system[name][()]).strip()
        for name in ("EPSG Code", "Coordinate_System_String", "Proj4")
        if name in system
    }
    code = texts.pop("EPSG Code", "").upper().removeprefix("EPSG:")
    found = f"EPSG:{int(float(code))}" if code else next(filter(None, texts.values()), "")
    if not found:
        raise ValueError("'Coordinate_System' names no coordinate reference system")
    return parse_crs(found, path)


def _scale(divisor: Any, count: int) -> Float64Array:
    """(count,) factors from stored to physical values, of the number that stored values are divided by."""
    divisors = per_band(divisor, count)
    if not divisors.all():
        raise ValueError("Scale_Factor is 0")
    return 1.0 / divisors


def _neon_bands(spectral: h5py.Group, count: int) -> tuple[DeclaredBands | None, list[str]]:
    """Wavelengths and widths of the group, and warnings about lists that cannot be used."""
    warnings: list[str] = []

    def listed(name: str) -> tuple[Float64Array | None, str | None]:
        if name not in spectral:
            return None, None
        values = np.ravel(spectral[name][()]).astype(np.float64)
        if len(values) != count:
            warnings.append(
                f"its '{name}' has {len(values)} entries and the scene {count} bands: not used"
            )
            return None, None
        return values, text_of(spectral[name].attrs.get("Units", ""))

    centres, unit = listed("Wavelength")
    widths, widths_unit = listed("FWHM")
    if centres is None:
        return None, warnings
    return DeclaredBands(centres, unit, "Spectral_Data", widths, widths_unit), warnings
