"""HDF5 files with their own layouts: PRISMA L2D and NEON's airborne spectrometer.

Layouts: ASI's PRISMA Products Specification Document; NEON's data product DP3.30006.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import SceneError
from hsi_geo.io.files.hdf5_files import require_own_values
from hsi_geo.io.files.paths import stamp
from hsi_geo.io.readers.base import (
    ArrayPixels,
    PickedPixels,
    SceneFile,
    StackedPixels,
    blocks_of,
    missing_package,
    per_band,
    plain,
)
from hsi_geo.io.readers.crs import parse_crs
from hsi_geo.io.readers.handles import opened
from hsi_geo.io.readers.neon_flags import neon_flags
from hsi_geo.tiling import Grid
from hsi_geo.wavelengths import DeclaredBands, centres_in_nm

if TYPE_CHECKING:
    import h5py

#: What pip installs if h5py or h5netcdf is missing.
INSTALL = "h5py h5netcdf"

_PRISMA = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields"
_PRISMA_PIXEL_M = 30.0


@dataclass(frozen=True, eq=False, kw_only=True)
class HdfPixels(ArrayPixels):
    """A three-dimensional dataset.

    Attributes:
        dataset: Path of the dataset in the file.
    """

    dataset: str

    def variable(self) -> Any:
        """See `ArrayPixels.variable`."""
        return opened(("h5py", self.path, self.stamp), lambda: _open(self.path))[self.dataset]


def read_hdf5(path: str) -> SceneFile | None:
    """Describe a PRISMA L2D or NEON file.

    Args:
        path: Path of the HDF5 file.

    Returns:
        The scene; its pixels are not read. None if the file is neither.

    Raises:
        SceneError: If the product has another level or layout, or takes values from other files.
        MissingPackageError: If h5py is not installed.
    """
    try:
        with _open(path) as file:
            require_own_values(file, f"scene '{path}'", SceneError)
            swaths = _names(file, "HDFEOS/SWATHS")
            if "PRS_L2D_HCO" in swaths:
                with _layout_errors(path, "PRISMA L2D"):
                    return _prisma(file, path)
            if any(name.startswith("PRS_") for name in swaths):
                raise SceneError(
                    f"scene '{path}' is a PRISMA product without a map grid ({swaths[0][:7]})",
                    hint="download the L2D product",
                )
            for site in file:
                if "Reflectance_Data" in _names(file, f"{site}/Reflectance"):
                    with _layout_errors(path, "NEON reflectance"):
                        return _neon(file, path, f"{site}/Reflectance")
    except OSError as error:
        raise SceneError(
            f"scene '{path}' is a damaged HDF5 file ({plain(error)})",
            hint="copy or download the file again",
        ) from error
    return None


def _open(path: str) -> h5py.File:
    try:
        import h5py
    except ImportError as error:
        raise missing_package("h5py", path, INSTALL) from error
    return h5py.File(path, "r", locking=False)  # read-only folders and network drives


def _names(file: h5py.File, group: str) -> list[str]:
    found = file.get(group)
    return list(found) if hasattr(found, "keys") else []


@contextmanager
def _layout_errors(path: str, kind: str) -> Iterator[None]:
    try:
        yield
    except SceneError:
        raise
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise SceneError(
            f"scene '{path}' is laid out otherwise than {kind} files are ({plain(error)})",
            hint="download the file again, or convert it to GeoTIFF",
        ) from error


# PRISMA ---------------------------------------------------------------------------------------


def _prisma(file: h5py.File, path: str) -> SceneFile:
    """The cubes of both detectors (rows x bands x columns), without padding bands."""
    attributes = file.attrs
    cubes, counts, columns = [], [], []
    for part in ("Vnir", "Swir"):
        dataset = f"{_PRISMA}/{part.upper()}_Cube"
        centres = np.ravel(attributes[f"List_Cw_{part}"]).astype(np.float64)
        flags = np.ravel(attributes.get(f"List_Cw_{part}_Flags", np.ones(len(centres))))
        low, high = (float(attributes[f"L2Scale{part}{end}"]) for end in ("Min", "Max"))
        table = np.zeros((5, file[dataset].shape[1]))
        table[:] = [[0], [0], [0], [(high - low) / 65535.0], [low]]
        table[:3] = centres, np.ravel(attributes[f"List_Fwhm_{part}"]), flags
        columns.append(table)
        counts.append(table.shape[1])
        cubes.append(HdfPixels(path=path, dataset=dataset, order="ybx", stamp=stamp(path)))
    height, _, width = file[cubes[0].dataset].shape
    centres, fwhm, flags, scale, offset = np.hstack(columns)
    kept = np.flatnonzero((centres > 0) & (flags != 0))
    return SceneFile(
        name=path,
        driver="PRISMA L2D",
        grid=_prisma_grid(attributes, height, width, path),
        found=DeclaredBands(centres[kept], "nm", "List_Cw_Vnir and List_Cw_Swir", fwhm[kept]),
        dtype=file[cubes[0].dataset].dtype,
        nodata=per_band(None, len(kept)),  # 0 in all bands is missing, as in other formats
        scale=scale[kept],
        offset=offset[kept],
        pixels=PickedPixels(StackedPixels(tuple(cubes), tuple(counts)), kept),
        block_px=blocks_of(file[cubes[0].dataset].chunks, "ybx"),
    )


def _prisma_grid(attributes: Any, height: int, width: int, path: str) -> Grid:
    def corner(pick: Callable[..., float], axis: str, *names: str) -> float:
        return pick(float(attributes[f"Product_{name}corner_{axis}"]) for name in names)

    left, right = corner(min, "easting", "UL", "LL"), corner(max, "easting", "UR", "LR")
    bottom, top = corner(min, "northing", "LL", "LR"), corner(max, "northing", "UL", "UR")
    # Corners are centres of pixels in known files. The span shows whether they are outer edges.
    span = right - left
    if abs(span - (width - 1) * _PRISMA_PIXEL_M) <= abs(span - width * _PRISMA_PIXEL_M):
        half = _PRISMA_PIXEL_M / 2
        left, right, bottom, top = left - half, right + half, bottom - half, top + half
    transform = Affine((right - left) / width, 0, left, 0, (bottom - top) / height, top)
    crs = parse_crs(f"EPSG:{int(np.ravel(attributes['Epsg_Code'])[0])}", path)
    return Grid(height, width, transform, crs)


# NEON -----------------------------------------------------------------------------------------


def _neon(file: h5py.File, path: str, group: str) -> SceneFile:
    """The cube (rows x columns x bands), with bad bands from its band windows."""
    dataset = f"{group}/Reflectance_Data"
    data, metadata = file[dataset], file[f"{group}/Metadata"]
    height, width, count = data.shape
    spectral, system = metadata["Spectral_Data"], metadata["Coordinate_System"]
    found, warnings = _neon_bands(spectral, count)
    centres = np.full(count, np.nan) if found is None else centres_in_nm(found)
    bad = np.zeros(count, bool)
    for name, window in file[group].attrs.items():
        if name.startswith("Band_Window") and name.endswith("Nanometers"):
            low, high = np.ravel(window)
            bad |= (low <= centres) & (centres <= high)
    epsg = _text(system["EPSG Code"][()]) if "EPSG Code" in system else ""
    text = f"EPSG:{int(epsg)}" if epsg else _text(system["Coordinate_System_String"][()])
    return SceneFile(
        name=path,
        driver=f"NEON {'bidirectional ' if 'bidirectional' in Path(path).name else ''}HDF5",
        grid=Grid(height, width, map_info(_text(system["Map_Info"][()])), parse_crs(text, path)),
        found=found,
        found_warnings=tuple(warnings),
        good=~bad if bad.any() else None,
        good_source="Band_Window",
        dtype=data.dtype,
        nodata=per_band(data.attrs.get("Data_Ignore_Value"), count),
        scale=1.0 / per_band(data.attrs.get("Scale_Factor", 1.0), count),
        offset=per_band(0.0, count),
        pixels=HdfPixels(path=path, dataset=dataset, order="yxb", stamp=stamp(path)),
        quality=neon_flags(
            file[group],
            (height, width),
            lambda name: HdfPixels(
                path=path, dataset=f"{group}/{name}", order="yx", stamp=stamp(path)
            ),
        ),
        block_px=blocks_of(data.chunks, "yxb"),
    )


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
        return values, _text(spectral[name].attrs.get("Units", ""))

    centres, unit = listed("Wavelength")
    widths, widths_unit = listed("FWHM")
    if centres is None:
        return None, warnings
    return DeclaredBands(centres, unit, "Spectral_Data", widths, widths_unit), warnings


def map_info(text: str) -> Affine:
    """Parse ENVI's ``map info``: projection, reference pixel (from 1), its coordinates, pixel size, ...

    Args:
        text: The list, with or without braces. A "rotation=" entry is in degrees.

    Returns:
        The geotransform.

    Raises:
        ValueError: If it has too few numbers.

    Example:
        >>> map_info("{UTM, 1, 1, 500000, 4000000, 30, 20, 33, North}").to_gdal()
        (500000.0, 30.0, 0.0, 4000000.0, 0.0, -20.0)
    """
    words = [word.strip() for word in text.strip("{} ").split(",")]
    col, row, x, y, width, height = (float(word) for word in words[1:7])
    rotation = [float(word.split("=")[1]) for word in words if word.lower().startswith("rotation")]
    origin = Affine.translation(x, y) @ Affine.rotation(rotation[0] if rotation else 0.0)
    return origin @ Affine.scale(width, -height) @ Affine.translation(1 - col, 1 - row)


def _text(value: Any) -> str:
    """The text in bytes, arrays or scalars of HDF5."""
    entry = np.ravel(value)[0] if np.size(value) else ""
    return entry.decode("utf-8", "replace") if isinstance(entry, bytes) else str(entry)
