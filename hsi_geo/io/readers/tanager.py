"""Planet's Tanager-1, in HDF-EOS5: ortho products on a map grid, basic products as swaths.

Layout: the attributes and groups of Planet's four products (ortho and basic, surface reflectance and radiance).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from affine import Affine

from hsi_geo.arrays import BoolArray
from hsi_geo.io.readers.base import SceneFile, blocks_of, per_band
from hsi_geo.io.readers.crs import parse_crs
from hsi_geo.io.readers.hdf5_access import (
    cube_of,
    names_in,
    numbers,
    other_size_warning,
    sizes_of,
    swath_of,
    text_of,
)
from hsi_geo.io.readers.quality_layers import (
    CIRRUS,
    CLOUDS,
    QUALITY,
    ArrayFlags,
    FlagCode,
    QualityLayer,
)
from hsi_geo.tiling import Grid
from hsi_geo.wavelengths import DeclaredBands

if TYPE_CHECKING:
    import h5py

#: Groups of the ortho and of the basic products.
GRIDS, SWATHS = "HDFEOS/GRIDS/HYP", "HDFEOS/SWATHS/HYP"

#: Cubes, and what the product is called.
_CUBES = {"surface_reflectance": "surface reflectance", "toa_radiance": "radiance"}

#: Side of a pixel in metres.
PIXEL_M = 30.0

#: Value of pixels without data, if the cube states none.
_FILL = -9999.0

#: Layer of bytes (255: nothing known), flag and its kind.
_FLAGS = (
    ("beta_cloud_mask", "cloud", CLOUDS),
    ("beta_cirrus_mask", "cirrus", CIRRUS),
    ("nodata_pixels", "no data", QUALITY),
)

_CORNER = r"{name}\s*=\s*\(\s*([-+.\deE]+)\s*,\s*([-+.\deE]+)\s*\)"


def find_tanager(file: h5py.File) -> tuple[str, str] | None:
    """Group and name of the cube of a Tanager product; None if the file is none.

    Args:
        file: The open file.
    """
    for group in (GRIDS, SWATHS):
        fields = names_in(file, f"{group}/Data Fields")
        for cube in _CUBES:
            if cube in fields:
                return group, cube
    return None


def read_tanager(file: h5py.File, path: str, group: str, name: str) -> SceneFile:
    """Describe a product: the cube (bands x rows x columns), and its place on the map.

    Args:
        file: The open file.
        path: Path of the file.
        group: `GRIDS` or `SWATHS`.
        name: Name of the cube.
    """
    dataset = f"{group}/Data Fields/{name}"
    listed = file[dataset].attrs.get("wavelengths")
    bands = None if listed is None else len(numbers(listed))
    pixels, data = cube_of(file, path, dataset, "byx", bands)
    count, height, width = sizes_of(data.shape, pixels.order)
    found, good, warnings = _bands(data, count)
    grid, swath = Grid(height, width, Affine.identity(), None), None
    if group == GRIDS:
        grid = _grid(file, path, height, width)
    else:
        places = f"{group}/Geolocation Fields"
        names = f"{places}/Longitude", f"{places}/Latitude"
        swath = swath_of(file, path, names, (height, width), PIXEL_M)
    quality, flag_warnings = _quality(file, path, f"{group}/Data Fields", (height, width))
    return SceneFile(
        name=path,
        driver=f"Tanager {'ortho' if group == GRIDS else 'basic'} {_CUBES[name]}",
        grid=grid,
        geolocation=swath,
        found=found,
        found_warnings=warnings,
        good=good,
        good_source="good_wavelengths",
        dtype=data.dtype,
        nodata=per_band(data.attrs.get("_FillValue", _FILL), count),
        scale=per_band(data.attrs.get("scale_factor", 1.0), count),
        offset=per_band(data.attrs.get("add_offset", 0.0), count),
        pixels=pixels,
        quality=quality,
        warnings=flag_warnings,
        block_px=blocks_of(data.chunks, pixels.order),
    )


def _bands(
    data: h5py.Dataset, count: int
) -> tuple[DeclaredBands | None, BoolArray | None, tuple[str, ...]]:
    """Wavelengths and widths, the flags of good bands, and warnings about lists that cannot be used."""
    lists, warnings = {}, []
    for key in ("wavelengths", "fwhm", "good_wavelengths"):
        if key not in data.attrs:
            continue
        values = numbers(data.attrs[key])
        if len(values) == count:
            lists[key] = values
        else:
            warnings.append(
                f"its '{key}' has {len(values)} entries and the scene {count} bands: not used"
            )
    good = lists["good_wavelengths"] != 0 if "good_wavelengths" in lists else None
    good = None if good is None or good.all() else good
    if "wavelengths" not in lists:
        return None, good, tuple(warnings)
    found = DeclaredBands(lists["wavelengths"], "nm", "wavelengths", lists.get("fwhm"))
    return found, good, tuple(warnings)


def _grid(file: h5py.File, path: str, height: int, width: int) -> Grid:
    """The grid between the corners of StructMetadata, which are outer edges of pixels."""
    structure = text_of(file["HDFEOS INFORMATION/StructMetadata.0"][()])
    corners = []
    for key in ("UpperLeftPointMtrs", "LowerRightMtrs"):
        match = re.search(_CORNER.format(name=key), structure)
        if match is None:
            raise ValueError(f"StructMetadata.0 has no {key}")
        corners.append((float(match[1]), float(match[2])))
    (left, top), (right, bottom) = corners
    transform = Affine((right - left) / width, 0.0, left, 0.0, (bottom - top) / height, top)
    return Grid(height, width, transform, parse_crs(f"EPSG:{_epsg(file)}", path))


def _epsg(file: h5py.File) -> int:
    """Code of the CRS: an attribute of the grid, else of its fields, of a cube or of the file."""
    fields = file[f"{GRIDS}/Data Fields"]
    places = [file[GRIDS], fields, *(fields[name] for name in _CUBES if name in fields), file]
    codes = [one.attrs["epsg_code"] for one in places if "epsg_code" in one.attrs]
    if not codes:
        raise ValueError("it has no attribute 'epsg_code'")
    return int(float(text_of(codes[0]).upper().removeprefix("EPSG:")))


def _quality(
    file: h5py.File, path: str, fields: str, shape: tuple[int, int]
) -> tuple[tuple[QualityLayer, ...], tuple[str, ...]]:
    """The flags, and warnings about layers that cannot be used."""
    layers, warnings = [], []
    for name, flag, kind in _FLAGS:
        if name not in file[fields]:
            continue
        found = getattr(file[f"{fields}/{name}"], "shape", ())
        if found != shape:
            warnings.append(other_size_warning(name, found, shape))
            continue
        pixels, _ = cube_of(file, path, f"{fields}/{name}", "yx")
        layers.append(QualityLayer(flag, kind, ArrayFlags(pixels, 0, FlagCode(unknown=(255,)))))
    return tuple(layers), tuple(warnings)
