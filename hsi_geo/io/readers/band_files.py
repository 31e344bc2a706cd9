"""Folders and archives with a file for each band, such as Hyperion L1T.

Layout of Hyperion: USGS, EO-1 User Guide 2.3; scaled radiance, 40 a unit in the VNIR and 80 in the SWIR.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.windows import Window as GdalWindow

from hsi_geo.arrays import AnyArray, Float64Array, IndexArray
from hsi_geo.errors import SceneError
from hsi_geo.io.files.paths import stamp
from hsi_geo.io.files.references import require_local
from hsi_geo.io.readers.base import SceneFile, plain, require_real, unreadable
from hsi_geo.io.readers.crs import parse_crs
from hsi_geo.io.readers.gdal import GDAL_TYPES, open_raster, quiet_gdal
from hsi_geo.io.readers.handles import opened
from hsi_geo.io.readers.packages import Package
from hsi_geo.io.readers.spectral_tags import find_bands
from hsi_geo.tiling import Grid, Window
from hsi_geo.wavelengths import DeclaredBands

#: Fewer files are no scene, and more are not opened.
FEWEST_FILES, MOST_FILES = 3, 2000

_IMAGE = re.compile(r"\.(tif|tiff)$", re.IGNORECASE)

#: The number of a band in the name of its file: at its beginning, or after B, Band or a separator.
_NUMBER = re.compile(
    r"(?i)(?:^|(?<=^b)|(?<=[_\-. ]b)|(?<=band)|(?<=band[_\- ])|(?<=[_\-. ]))(\d{1,4})(?=[_\-.nuµ ]|$)"
)

_HYPERION = re.compile(r"^EO1H\d.*_B(\d{3})_L1[A-Z]+", re.IGNORECASE)

#: Hyperion's centres in nm: first band, its centre, and the step, of both detectors.
_VNIR, _SWIR = (1, 355.59, 10.17522), (71, 851.92, 10.08865)

#: Bands of Hyperion that are calibrated, from first to last.
_CALIBRATED = ((8, 57), (77, 224))


@dataclass(frozen=True, slots=True)
class BandFile:
    """A file of one band.

    Attributes:
        number: Number of the band in its name.
        name: Name of the file in its folder or archive.
        path: Name that GDAL opens.
    """

    number: int
    name: str
    path: str


def find_band_files(package: Package) -> tuple[BandFile, ...]:
    """The rasters of a folder or archive whose names differ only by the number of a band.

    Args:
        package: Files of the folder or archive.

    Returns:
        The largest such group in the order of its numbers; empty if there are fewer than three files.

    Example:
        >>> names = tuple(f"x_B{n:03}_L1T.TIF" for n in (10, 9, 11)) + ("x_MTL.txt", "x_1.tif")
        >>> package = Package("x", names, str, bytes)
        >>> [one.number for one in find_band_files(package)]
        [9, 10, 11]
    """
    groups: dict[tuple[str, str], list[BandFile]] = defaultdict(list)
    for name in package.files:
        base = PurePosixPath(name).name
        if not _IMAGE.search(base):
            continue
        for match in _NUMBER.finditer(base):
            rest = base[: match.start()] + "#" + base[match.end() :]
            key = (str(PurePosixPath(name).parent), rest.lower())
            groups[key].append(BandFile(int(match[1]), name, package.gdal_path(name)))
    usable = [
        group
        for group in groups.values()
        if len(group) >= FEWEST_FILES and len({one.number for one in group}) == len(group)
    ]
    largest = max(usable, key=len, default=[])
    return tuple(sorted(largest, key=lambda one: one.number))


def read_band_files(package: Package) -> SceneFile | None:
    """Describe a scene with a file for each band.

    Args:
        package: Files of the folder or archive.

    Returns:
        The scene; its pixels are not read. Without wavelengths in tags, names or a known sensor it has none.
        None if there are no such files.

    Raises:
        SceneError: If files have several bands or different pixels, or cannot be opened.
    """
    files = find_band_files(package)
    if not files or not _has_one_band(files[0]):
        return None
    if len(files) > MOST_FILES:
        raise SceneError(
            f"scene '{package.name}' has {len(files):,} files of one band each",
            hint=f"give a folder with at most {MOST_FILES:,} of them",
        )
    heads = [_head(package.name, file) for file in files]
    first = heads[0]
    for file, head in zip(files, heads, strict=True):
        is_same = head.shape == first.shape and head.transform.almost_equals(first.transform, 1e-6)
        if not is_same or head.crs != first.crs:
            what = "coordinate reference systems" if is_same else "pixels"
            raise SceneError(
                f"scene '{package.name}' has files of different {what}: '{file.name}' and '{files[0].name}'",
                hint="put them on one grid, or give a folder with the files of one grid",
            )
    dtype = np.result_type(*(head.dtype for head in heads))
    numbers = np.array([file.number for file in files])
    is_hyperion = all(_HYPERION.match(PurePosixPath(file.name).name) for file in files)
    tags = find_bands(
        {},
        [head.tags for head in heads],
        [{} for _ in heads],
        [
            head.description or _with_unit(PurePosixPath(file.name).stem)
            for file, head in zip(files, heads, strict=True)
        ],
    )
    scale = np.array([head.scale for head in heads])
    if is_hyperion and (scale == 1).all():
        scale = np.where(numbers < _SWIR[0], 1 / 40, 1 / 80)
    calibrated = np.zeros(len(files), bool)
    for low, high in _CALIBRATED:
        calibrated |= (numbers >= low) & (numbers <= high)
    found = tags.found
    if found is None and is_hyperion:
        found = DeclaredBands(hyperion_centres(numbers), "nm", "Hyperion's band numbers")
    return SceneFile(
        name=package.name,
        driver="Hyperion L1T" if is_hyperion else "one band a file",
        grid=Grid(
            *first.shape,
            first.transform,
            parse_crs(first.crs.to_wkt(), package.name) if first.crs else None,
        ),
        found=found,
        found_warnings=tags.found_warnings,
        good=calibrated if is_hyperion else tags.good,
        good_source="Hyperion's calibrated bands" if is_hyperion else tags.good_source,
        dtype=dtype,
        nodata=np.array([np.nan if head.nodata is None else head.nodata for head in heads]),
        scale=scale,
        offset=np.array([head.offset for head in heads]),
        pixels=BandFilePixels(
            tuple(file.path for file in files),
            package.name,
            first.shape,
            dtype.name,
            stamp(files[0].path),
        ),
        block_px=first.block_px,
        packed=any("/vsigzip/" in file.path or _is_packed_tar(file.path) for file in files),
        notes=() if is_hyperion else _missing_numbers(numbers),
    )


def _missing_numbers(numbers: IndexArray) -> tuple[str, ...]:
    """A note on the bands that are left out between others; none for numbers that are no simple count."""
    lacking = np.setdiff1d(np.arange(numbers[0], numbers[-1]), numbers)
    if not 0 < len(lacking) < len(numbers):
        return ()
    shown = ", ".join(str(number) for number in lacking[:5]) + ", ..." * (len(lacking) > 5)
    return (f"it has no file for band {shown}",)


def hyperion_centres(numbers: IndexArray) -> Float64Array:
    """Centres of Hyperion's bands in nm.

    Args:
        numbers: (B,) numbers of bands, 1 to 242.

    Example:
        >>> hyperion_centres(np.array([8, 57, 77, 224])).round(1).tolist()
        [426.8, 925.4, 912.5, 2395.5]
    """
    low, high = ((first, nm, step) for first, nm, step in (_VNIR, _SWIR))
    vnir, swir = (nm + (numbers - first) * step for first, nm, step in (low, high))
    return np.where(numbers < _SWIR[0], vnir, swir)


def _has_one_band(file: BandFile) -> bool:
    """Whether a file is a raster of one band."""
    try:
        require_local(file.path, "scene", SceneError)
        with quiet_gdal(file.path), open_raster(file.path) as source:
            return bool(source.count == 1)
    except RasterioError:
        return False


@dataclass(frozen=True, slots=True)
class _Head:
    """What the header of a band's file tells."""

    shape: tuple[int, int]
    transform: Any
    crs: Any
    dtype: np.dtype[Any]
    nodata: float | None
    scale: float
    offset: float
    description: str
    tags: dict[str, str]
    block_px: tuple[int, int]


def _head(scene: str, file: BandFile) -> _Head:
    require_local(file.path, "scene", SceneError)
    try:
        with quiet_gdal(file.path), open_raster(file.path) as source:
            if source.count != 1:
                raise SceneError(
                    f"scene '{scene}' is a folder, and its file '{file.name}' has {source.count} bands, "
                    "not one",
                    hint="give the file that holds the scene",
                )
            require_real(source.dtypes[0], scene)
            return _Head(
                source.shape,
                source.transform,
                source.crs,
                np.dtype(source.dtypes[0]),
                source.nodatavals[0],
                source.scales[0],
                source.offsets[0],
                source.descriptions[0] or "",
                {**source.tags(), **source.tags(1)},
                source.block_shapes[0],
            )
    except RasterioError as error:
        raise SceneError(
            f"scene '{scene}' has the file '{file.name}', which GDAL cannot open ({plain(error)})",
            hint="download or unpack the scene again",
        ) from error


def _with_unit(stem: str) -> str:
    """The name of a file with blanks between its words, so that "_650nm" reads as a wavelength."""
    return re.sub(r"[_\-]+", " ", stem)


def _is_packed_tar(path: str) -> bool:
    return path.startswith("/vsitar/") and ".tar/" not in path.lower()


@dataclass(frozen=True, eq=False)
class BandFilePixels:
    """Stored values of files of one band each.

    GDAL reads them through a virtual raster, which keeps few files open.

    Attributes:
        paths: Names that GDAL opens, in the order of the bands.
        name: Name of the scene, for messages.
        shape: (rows, columns) of each file.
        dtype: Type of the values, by NumPy's name.
        stamp: State of the first file when it was described.
    """

    paths: tuple[str, ...]
    name: str
    shape: tuple[int, int]
    dtype: str
    stamp: tuple[int, int]

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """See `readers.base.Pixels.read`.

        Raises:
            SceneError: If a file is damaged or cut short.
        """
        pixels = GdalWindow(window.col, window.row, window.width, window.height)
        try:
            with quiet_gdal(self.paths[0]):
                key = ("one band a file", self.paths, self.stamp)
                source = opened(key, lambda: rasterio.open(self._virtual_raster()))
                return np.asarray(source.read([int(band) + 1 for band in bands], window=pixels))
        except RasterioError as error:
            raise unreadable(self.name, window, plain(error)) from error

    def _virtual_raster(self) -> str:
        """The text of a VRT with a band for each file."""
        rows, cols = self.shape
        kind = GDAL_TYPES[self.dtype]
        parts = [f'<VRTDataset rasterXSize="{cols}" rasterYSize="{rows}">']
        for number, path in enumerate(self.paths, start=1):
            name = escape(str(Path(path).absolute()) if not path.startswith("/vsi") else path)
            parts.append(
                f'<VRTRasterBand dataType="{kind}" band="{number}"><SimpleSource>'
                f'<SourceFilename relativeToVRT="0">{name}</SourceFilename><SourceBand>1</SourceBand>'
                f'<SourceProperties RasterXSize="{cols}" RasterYSize="{rows}" DataType="{kind}" '
                'BlockXSize="256" BlockYSize="256"/></SimpleSource></VRTRasterBand>'
            )
        return "".join([*parts, "</VRTDataset>"])
