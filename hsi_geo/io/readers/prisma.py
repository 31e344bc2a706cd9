"""PRISMA products in HDF5: L2D on a map grid, and the swaths of L1, L2B and L2C.

Layout: ASI's PRISMA Products Specification Document.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine

from hsi_geo.io.readers.base import PickedPixels, SceneFile, StackedPixels, blocks_of, per_band
from hsi_geo.io.readers.crs import parse_crs
from hsi_geo.io.readers.hdf5_access import (
    cube_of,
    known_name,
    numbers,
    other_size_warning,
    sizes_of,
    swath_of,
)
from hsi_geo.io.readers.quality_layers import (
    CLOUDS,
    QUALITY,
    SNOW,
    WATER,
    ArrayFlags,
    FlagCode,
    MostBandsFlags,
    QualityLayer,
)
from hsi_geo.tiling import Grid
from hsi_geo.wavelengths import DeclaredBands

if TYPE_CHECKING:
    import h5py

#: Side of a pixel in metres.
PIXEL_M = 30.0

#: Sides of pixels differ by less than this share; corners are rounded to a pixel.
_SIZE_TOLERANCE = 0.05

#: Groups with the cubes of a level, best first: HCO is coregistered.
_GROUPS = {
    "L2D": ("PRS_L2D_HCO",),
    "L2C": ("PRS_L2C_HCO",),
    "L2B": ("PRS_L2B_HCO",),
    "L1": ("PRS_L1_HCO", "PRS_L1_HRC"),
}

#: Masks of L1 (10 and 255: nothing known): name, flag, its kind, and the numbers that mean it.
_FLAGS = (
    ("Cloud_Mask", "cloud", CLOUDS, FlagCode(values=(1,), unknown=(10, 255))),
    ("LandCover_Mask", "water", WATER, FlagCode(values=(0,), unknown=(10, 255))),
    ("LandCover_Mask", "snow", SNOW, FlagCode(values=(1,), unknown=(10, 255))),
)

#: Cubes (rows x bands x columns) with a number for each defective band of a pixel.
_DEFECTS = tuple(
    name.format(part)
    for part in ("VNIR", "SWIR")
    for name in ("{}_PIXEL_SAT_ERR_MATRIX", "{}_PIXEL_L2_ERR_MATRIX")
)


def prisma_level(swaths: list[str]) -> tuple[str, str] | None:
    """Level of a product, and the group of its cubes.

    Args:
        swaths: Names of the groups in HDFEOS/SWATHS.

    Returns:
        None if no group has cubes of PRISMA.

    Example:
        >>> prisma_level(["PRS_L2C_AOT", "PRS_L2C_HCO"])
        ('L2C', 'PRS_L2C_HCO')
    """
    found = ((level, name) for level, names in _GROUPS.items() for name in names if name in swaths)
    return next(found, None)


def read_prisma(file: h5py.File, path: str, level: str, group: str) -> SceneFile:
    """Describe a product: the cubes of both detectors (rows x bands x columns), without padding bands.

    Args:
        file: The open file.
        path: Path of the file.
        level: "L1", "L2B", "L2C" or "L2D".
        group: Name of the group with the cubes.
    """
    attributes, fields = file.attrs, f"HDFEOS/SWATHS/{group}/Data Fields"
    cubes, counts, columns = [], [], []
    for part in ("Vnir", "Swir"):
        centres = numbers(attributes[f"List_Cw_{part}"])
        pixels, data = cube_of(file, path, f"{fields}/{part.upper()}_Cube", "ybx", len(centres))
        flags = numbers(attributes.get(f"List_Cw_{part}_Flags", np.ones(len(centres))))
        table = np.zeros((5, sizes_of(data.shape, pixels.order)[0]))
        table[:3] = centres, numbers(attributes[f"List_Fwhm_{part}"]), flags
        table[3:] = np.reshape(_scaling(attributes, level, part), (2, 1))
        columns.append(table)
        counts.append(table.shape[1])
        cubes.append((pixels, data))
    (first, data), (second, other) = cubes
    _, height, width = sizes_of(data.shape, first.order)
    if sizes_of(other.shape, second.order)[1:] != (height, width):
        raise ValueError("the cubes of the detectors have different numbers of pixels")
    centres, fwhm, flags, scale, offset = np.hstack(columns)
    kept = np.flatnonzero((centres > 0) & (flags != 0))
    quality, flag_warnings = _quality(file, path, fields, (height, width))
    grid, swath = Grid(height, width, Affine.identity(), None), None
    if level == "L2D":
        grid = _grid(attributes, height, width, path)
    else:
        names = _places(file, f"HDFEOS/SWATHS/{group}/Geolocation Fields")
        swath = swath_of(file, path, names, (height, width), PIXEL_M)
    return SceneFile(
        name=path,
        driver=f"PRISMA {level}",
        grid=grid,
        geolocation=swath,
        found=DeclaredBands(centres[kept], "nm", "List_Cw_Vnir and List_Cw_Swir", fwhm[kept]),
        dtype=data.dtype,
        nodata=per_band(None, len(kept)),  # 0 in all bands is missing, as in other formats
        scale=scale[kept],
        offset=offset[kept],
        pixels=PickedPixels(StackedPixels(tuple(cube for cube, _ in cubes), tuple(counts)), kept),
        quality=quality,
        warnings=(*flag_warnings, *_size_warning(grid)),
        block_px=blocks_of(data.chunks, first.order),
    )


def _quality(
    file: h5py.File, path: str, fields: str, shape: tuple[int, int]
) -> tuple[tuple[QualityLayer, ...], tuple[str, ...]]:
    """Flags of L1, and pixels that are defective in most bands of a detector in all levels; warnings about others."""
    layers, warnings = [], []
    for name, flag, kind, code in _FLAGS:
        own = getattr(file.get(f"{fields}/{name}"), "shape", None)
        if own is not None and own != shape:
            warnings.append(other_size_warning(name, own, shape))
        elif own is not None:
            pixels, _ = cube_of(file, path, f"{fields}/{name}", "yx")
            layers.append(QualityLayer(flag, kind, ArrayFlags(pixels, 0, code)))
    for name in _DEFECTS:
        found: tuple[int, ...] = getattr(file.get(f"{fields}/{name}"), "shape", ())
        if len(found) != 3 or found[::2] != shape or not found[1]:
            continue
        pixels, _ = cube_of(file, path, f"{fields}/{name}", "ybx")
        layers.append(QualityLayer("defective", QUALITY, MostBandsFlags(pixels, found[1])))
    return tuple(layers), tuple(dict.fromkeys(warnings))


def _scaling(attributes: Any, level: str, part: str) -> tuple[float, float]:
    """Factor and offset from stored numbers to radiance or reflectance."""
    if level == "L1":
        factor, offset = (_one(attributes, f"{name}_{part}") for name in ("ScaleFactor", "Offset"))
        if not factor:
            raise ValueError(f"ScaleFactor_{part} is 0")
        return 1.0 / factor, -offset
    low, high = (_one(attributes, f"L2Scale{part}{end}") for end in ("Min", "Max"))
    if not high > low:
        raise ValueError(f"L2Scale{part}Max is {high:g}, not above L2Scale{part}Min of {low:g}")
    return (high - low) / 65535.0, low


def _one(attributes: Any, key: str) -> float:
    """The number of an attribute, which may be a list of one."""
    return float(numbers(attributes[key])[0])


def _places(file: h5py.File, fields: str) -> tuple[str, str]:
    """Datasets of longitudes and latitudes. L1 has those of both detectors: SWIR is coregistered to VNIR."""
    end = "" if known_name(file, f"{fields}/Latitude") in file else "_VNIR"
    return f"{fields}/Longitude{end}", f"{fields}/Latitude{end}"


def _size_warning(grid: Grid) -> tuple[str, ...]:
    """A warning about corners that do not fit to the number of pixels of a map; none for a swath."""
    if grid.crs is None:
        return ()
    width, height = abs(grid.transform.a), abs(grid.transform.e)
    if max(abs(width - PIXEL_M), abs(height - PIXEL_M)) <= _SIZE_TOLERANCE * PIXEL_M:
        return ()
    return (
        f"its corners give pixels of {width:.1f} x {height:.1f} m, not {PIXEL_M:g} m: its place may be wrong",
    )


def _grid(attributes: Any, height: int, width: int, path: str) -> Grid:
    def corner(pick: Callable[..., float], axis: str, *names: str) -> float:
        return pick(_one(attributes, f"Product_{name}corner_{axis}") for name in names)

    left, right = corner(min, "easting", "UL", "LL"), corner(max, "easting", "UR", "LR")
    bottom, top = corner(min, "northing", "LL", "LR"), corner(max, "northing", "UL", "UR")
    # Corners are centres of pixels in known files. The span shows whether they are outer edges.
    span = right - left
    if abs(span - (width - 1) * PIXEL_M) <= abs(span - width * PIXEL_M):
        half = PIXEL_M / 2
        left, right, bottom, top = left - half, right + half, bottom - half, top + half
    transform = Affine((right - left) / width, 0, left, 0, (bottom - top) / height, top)
    crs = parse_crs(f"EPSG:{int(np.ravel(attributes['Epsg_Code'])[0])}", path)
    return Grid(height, width, transform, crs)
