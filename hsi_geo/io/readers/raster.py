"""Scenes that GDAL opens by itself: GeoTIFF, ENVI and the like."""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import rasterio
import rasterio.windows
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from hsi_geo.arrays import AnyArray, Float64Array, IndexArray
from hsi_geo.errors import SceneError, SceneNotFoundError
from hsi_geo.io.files.paths import exists, is_gdal_name, stamp
from hsi_geo.io.files.references import CLOSED, OPEN, REMOTE_DRIVERS, is_link, require_local
from hsi_geo.io.readers.base import (
    PickedPixels,
    Pixels,
    QualityLayer,
    SceneFile,
    per_band,
    plain,
    require_real,
    unreadable,
)
from hsi_geo.io.readers.handles import opened
from hsi_geo.io.readers.header_lists import HeaderLists
from hsi_geo.io.readers.masks import MaskFill, alpha_band, fill_for, find_mask
from hsi_geo.io.readers.spectral_tags import TaggedBands, Tags, find_bands, sidecar_tags
from hsi_geo.io.readers.vrt_blocks import BlockLines, block_lines
from hsi_geo.tiling import Grid, Window

#: Metadata domains that hold no tags of the user's, or that are read by their own rules.
GDALS_OWN = (
    "IMAGE_STRUCTURE",
    "DERIVED_",
    "SUBDATASETS",
    "IMAGERY",
    "RPC",
    "xml:",
    "json:",
    "GEOLOC",
)

#: How headers say that no stored value means no data, or what never is data.
NOT_A_NUMBER = ("", "none", "nan", "+nan", "-nan", "inf", "+inf", "-inf")

#: No window can be read from a block larger than this, in bytes, beside all else in memory.
LARGEST_BLOCK = 8 << 30

#: Quality layers are sampled to at most this many rows and columns.
SAMPLE_PX = 512

#: GDAL leaves `SCENE.properties` beside a compressed ENVI cube unless told not to, and keeps blocks
#: in memory up to a share of the machine's, which is gigabytes on a large one.
GDAL_OPTIONS = {"CPL_VSIL_GZIP_WRITE_PROPERTIES": "NO", "GDAL_CACHEMAX": 64 << 20}


@dataclass(frozen=True, eq=False)
class RasterPixels:
    """The bands of a file that rasterio reads.

    Attributes:
        path: As GDAL takes it.
        name: For messages.
        stamp: Of the file, see `paths.stamp`.
        lines: Of a mosaic, along which to cut what is read; None for no cuts.
        fill: Of pixels that the file masks; None if it masks none.
    """

    path: str
    name: str
    stamp: tuple[int, int]
    lines: BlockLines | None = None
    fill: MaskFill | None = None

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """(B, height, width) stored values; see `Pixels.read`.

        Raises:
            SceneError: If the file is damaged or cut short.
        """
        numbers = [int(band) + 1 for band in bands]
        try:
            with quiet_gdal(self.path):
                handle = opened((self.path, self.stamp), lambda: open_raster(self.path))
                if self.lines is None:
                    return self._part(handle, numbers, window)
                kind = np.result_type(*(handle.dtypes[number - 1] for number in numbers))
                kind = kind if self.fill is None else self.fill.dtype
                values = np.empty((len(numbers), *window.shape), kind)
                for part in self.lines.parts(window):
                    rows, cols = part.relative_to(window).slices
                    values[:, rows, cols] = self._part(handle, numbers, part)
                return values
        except RasterioError as error:
            why = plain(error)
            if "cannot allocate" in why or "out of memory" in why.lower():
                with quiet_gdal(self.path), open_raster(self.path) as source:
                    raise _too_large(source, self.name) from error
            raise unreadable(self.name, window, why) from error

    def _part(self, handle: rasterio.DatasetReader, numbers: list[int], window: Window) -> AnyArray:
        stored = _read(handle, numbers, window)
        if self.fill is None:
            return stored
        return self.fill.over(stored, handle, numbers, _for_gdal(window))


def _for_gdal(window: Window) -> rasterio.windows.Window:
    return rasterio.windows.Window(window.col, window.row, window.width, window.height)


def _read(handle: rasterio.DatasetReader, numbers: list[int], window: Window) -> AnyArray:
    pixels = _for_gdal(window)
    kinds = {handle.dtypes[number - 1] for number in numbers}
    if len(kinds) < 2:
        return np.asarray(handle.read(numbers, window=pixels))
    bands = [handle.read(number, window=pixels) for number in numbers]  # rasterio wants one type
    return np.stack(bands).astype(np.result_type(*kinds), copy=False)


def read_raster(path: str | os.PathLike[str], *, name: str | None = None) -> SceneFile:
    """Open a raster and read all it tells about itself, once.

    Args:
        path: A file, or anything GDAL takes for one (`/vsicurl/...`).
        name: For messages, if not the path.

    Returns:
        The scene, without its pixels.

    Raises:
        SceneNotFoundError: If there is no such file.
        SceneError: If it is no raster.
    """
    path = os.fspath(path)
    name = name or path
    if not exists(path) and not is_gdal_name(path):
        raise SceneNotFoundError(
            f"scene '{name}' does not exist", hint="check the path and its spelling"
        )
    path = _data_of_header(path)
    require_local(path, "scene", SceneError)
    try:
        with quiet_gdal(path), open_raster(path) as source:
            return _describe(source, path, name)
    except RasterioError as error:
        raise SceneError(
            f"scene '{name}' is not a raster that GDAL can open ({plain(error)})",
            hint="give a GeoTIFF, or an ENVI cube with its .hdr beside it",
        ) from error


@contextmanager
def quiet_gdal(name: str | os.PathLike[str] | None = None) -> Iterator[None]:
    """GDAL that leaves nothing beside the user's files; a scene may lack a geotransform.

    Nothing from afar is opened, unless ``name`` is the address of something there.
    """
    afar = name is not None and is_link(os.fspath(name))
    with (
        rasterio.Env(**GDAL_OPTIONS, **(OPEN if afar else CLOSED)),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def open_raster(path: str | os.PathLike[str]) -> rasterio.DatasetReader:
    """As rasterio opens it, inside `quiet_gdal`; local files only with drivers that stay local."""
    name = os.fspath(path)
    if is_link(name):
        return rasterio.open(name)
    if not exists(name) and not name.startswith("/vsi"):
        return rasterio.open(name)  # names of subdatasets
    return rasterio.DatasetReader(name, driver=_local_drivers(name.startswith("/vsi")))


@cache
def _local_drivers(packed: bool) -> list[str]:
    """GDAL's drivers for files; what lies in an archive must not name others, none looks into it."""
    left_out = {*REMOTE_DRIVERS, *(("VRT", "MRF", "GTI") if packed else ())}
    with rasterio.Env() as env:
        return [driver for driver in env.drivers() if driver not in left_out]


def parse_crs(text: str, name: str) -> CRS:
    """A CRS from WKT or an authority's code.

    Raises:
        SceneError: If PROJ does not know it.
    """
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise SceneError(
            f"scene '{name}' has a coordinate reference system that PROJ does not know "
            f"({plain(error)})",
            hint="assign a known one with gdal_edit.py -a_srs",
        ) from error


def _data_of_header(path: str) -> str:
    """The cube that an ENVI header describes, where that is what was given."""
    header = Path(path)
    if header.suffix.lower() != ".hdr":
        return path
    stem = header.with_suffix("")
    suffixes = (".bsq", ".bil", ".bip", ".img", ".dat", ".raw", ".bin", ".sli")
    named = [stem, *(stem.with_suffix(suffix) for suffix in suffixes)]
    exact = next((str(cube) for cube in named if cube.is_file()), None)
    if exact is not None or not header.is_file():
        return exact or path
    # Names from other systems: SCENE.HDR beside scene.bsq.
    there = {cube.name.lower(): str(cube) for cube in sorted(header.parent.iterdir())}
    return next((there[c.name.lower()] for c in named if c.name.lower() in there), path)


def _describe(source: rasterio.DatasetReader, path: str, name: str) -> SceneFile:
    count = source.count
    if count == 0:
        raise SceneError(
            f"scene '{name}' holds {len(source.subdatasets)} subdatasets and no bands of its own",
            hint="give one of its subdatasets as gdalinfo lists them",
        )
    for dtype in source.dtypes:
        require_real(dtype, name)
    if source.transform.is_identity and source.gcps[0]:
        raise SceneError(
            f"scene '{name}' has {len(source.gcps[0])} ground control points and no grid",
            hint=f"put it on one with: gdalwarp -r near {shlex.quote(name)} grid.tif",
        )
    _require_grid(source, name)
    if _block_bytes(source) > LARGEST_BLOCK:
        raise _too_large(source, name)
    whole = {**_tags(source, 0), **sidecar_tags(path)}
    alpha, spectral = alpha_band(source), list(source.indexes)
    bands = _find_bands_or_first(source, whole, spectral)
    if bands.found is not None:
        alpha = None  # a band of the spectrum: GDAL calls the fourth of four bytes alpha
    elif alpha is not None:
        spectral.remove(alpha)
        bands = _find_bands_or_first(source, whole, spectral)
    kept = np.array(spectral) - 1
    mask = find_mask(source, alpha)
    values = _stored_values(source, whole)
    dtype = np.result_type(*(source.dtypes[band] for band in kept))
    fill = None if mask is None else fill_for(mask, values.nodata, dtype)
    lines = block_lines(path) if source.driver == "VRT" and count > 1 else None
    pixels: Pixels = RasterPixels(path, name, stamp(path), lines, fill)
    return SceneFile(
        name=name,
        driver=source.driver,
        grid=Grid(
            source.height,
            source.width,
            source.transform,
            parse_crs(source.crs.to_wkt(), name) if source.crs else None,
        ),
        found=bands.found,
        found_warnings=bands.found_warnings,
        good=bands.good,
        good_source=bands.good_source,
        dtype=dtype if fill is None else fill.dtype,
        nodata=(values.nodata if fill is None else fill.values)[kept],
        scale=values.scale[kept],
        offset=values.offset[kept],
        pixels=pixels if alpha is None else PickedPixels(pixels, kept),
        block_px=source.block_shapes[0] if lines is None else lines.block_px,
        packed=_is_packed(path, whole),
        notes=() if mask is None else (mask.told,),
        warnings=(*bands.warnings, *values.warnings),
    )


def _block_bytes(source: rasterio.DatasetReader) -> int:
    """Bytes that are unpacked to read one pixel."""
    rows, cols = max(source.block_shapes)
    interleaving = source.interleaving
    together = source.count if interleaving and interleaving.value.upper() == "PIXEL" else 1
    return int(rows * cols * together * max(np.dtype(kind).itemsize for kind in source.dtypes))


def _too_large(source: rasterio.DatasetReader, name: str) -> SceneError:
    rows, cols = max(source.block_shapes)
    return SceneError(
        f"scene '{name}' is stored in blocks of {rows} x {cols} pixels, and each of "
        f"{_block_bytes(source) / 2**30:.1f} GiB has to be unpacked as a whole, which does not fit "
        "into memory",
        hint="write it again in tiles where it was made (GDAL's option TILED=YES)",
    )


def _require_grid(source: rasterio.DatasetReader, name: str) -> None:
    """Refuse a raw image that only a model of its sensor can place.

    Raises:
        SceneError: With the call that puts it on a grid.
    """
    if not source.transform.is_identity:
        return
    domains = source.tag_namespaces()
    for domain, kind, option in (
        ("RPC", "rational polynomials (RPC)", "-rpc"),
        ("GEOLOCATION", "geolocation arrays", "-geoloc"),
    ):
        if domain in domains:
            raise SceneError(
                f"scene '{name}' has {kind} and no grid",
                hint=f"put it on one with: gdalwarp {option} -r near {shlex.quote(name)} grid.tif",
            )


def _is_packed(path: str, whole: Tags) -> bool:
    """A stream of zipped bytes has no places to jump to; a plain tar has."""
    streams = ("/vsigzip/", "/vsizip/", "/vsitar/", "/vsi7z/", "/vsirar/")
    compressed = whole.get("file_compression", whole.get("file compression", "0"))
    if path.startswith("/vsitar/"):
        return ".tar/" not in path.lower()
    return path.startswith(streams) or "/vsigzip/" in path or compressed.strip() == "1"


def _find_bands_or_first(
    source: rasterio.DatasetReader, whole: Tags, numbers: Sequence[int]
) -> TaggedBands:
    """What a file tells of some of its bands, or the first file of a mosaic of all of its own."""
    bands = _find_bands(source, whole, numbers)
    if bands.found is None and source.driver == "VRT":
        return _bands_of_first_file(source, len(numbers)) or bands
    return bands


def _find_bands(source: rasterio.DatasetReader, whole: Tags, numbers: Sequence[int]) -> TaggedBands:
    # One pass over the bands: asking for tags again and again takes seconds on 426 bands.
    by_band = [_tags(source, band) for band in numbers]
    imagery = [
        source.tags(band, ns="IMAGERY") if "IMAGERY" in source.tag_namespaces(band) else {}
        for band in numbers
    ]
    names = [source.descriptions[band - 1] or "" for band in numbers]
    return find_bands(whole, by_band, imagery, names, one_source=source.driver == "ENVI")


def _bands_of_first_file(mosaic: rasterio.DatasetReader, count: int) -> TaggedBands | None:
    """What the first file of a mosaic tells of its bands: gdalbuildvrt leaves that behind."""
    for path in mosaic.files[1:]:  # the first is the mosaic itself
        try:
            with rasterio.open(path) as file:
                if file.count == count:
                    whole = {**_tags(file, 0), **sidecar_tags(path)}
                    bands = _find_bands(file, whole, file.indexes)
                    if bands.found is None:
                        return bands
                    origin = f"{bands.found.source} of {Path(path).name}"
                    return replace(bands, found=replace(bands.found, source=origin))
        except RasterioError:
            continue  # told when its pixels are read
    return None


def _tags(source: rasterio.DatasetReader, band: int) -> Tags:
    """Tags of a band, or of the raster (0), in whatever domain a program wrote them; ENVI's count."""
    domains = [name for name in source.tag_namespaces(band) if not name.startswith(GDALS_OWN)]
    tags: dict[str, str] = source.tags(band)
    for domain in sorted(domains, key=lambda name: name == "ENVI"):
        tags.update(source.tags(band, ns=domain))
    return tags


@dataclass(frozen=True, eq=False)
class _StoredValues:
    """What stored values mean: (C,) each, and warnings of what tells it in vain."""

    nodata: Float64Array
    scale: Float64Array
    offset: Float64Array
    warnings: tuple[str, ...]


def _stored_values(source: rasterio.DatasetReader, whole: Tags) -> _StoredValues:
    """What the bands themselves declare, else what an ENVI header says of them.

    GDAL reads ENVI's lists by the beginning of each word, so that what is no number is 0 to it:
    of an ENVI cube the header itself counts.
    """
    count, told = source.count, list[str]()
    lists = HeaderLists.of(whole, count, told)
    is_envi = source.driver == "ENVI"

    def declared(own: Float64Array, neutral: float, key: str) -> Float64Array:
        if key not in lists.tags or not (is_envi or _all_are(own, neutral)):
            return own
        said = lists.numbers(key, or_one=True)
        if said is not None:
            return said
        return per_band(neutral, count) if is_envi else own

    scale = declared(per_band(source.scales, count), 1.0, "datagainvalues")
    offset = declared(per_band(source.offsets, count), 0.0, "dataoffsetvalues")
    nodata = np.array([np.nan if v is None else v for v in source.nodatavals], np.float64)
    if lists.tags.get("dataignorevalue", "").strip("{} ").lower() not in NOT_A_NUMBER:
        nodata = declared(nodata, np.nan, "dataignorevalue")
    elif is_envi:
        nodata = per_band(None, count)
    factor = lists.numbers("reflectancescalefactor", or_one=True)
    if factor is not None and not (factor > 0).all():
        told.append(f"its 'reflectance scale factor' is {factor.min():g}: not used")
    elif factor is not None and _all_are(scale, 1.0):
        scale = scale / factor
    return _StoredValues(nodata, scale, offset, tuple(told))


def _all_are(values: Float64Array, neutral: float) -> bool:
    return bool((np.isnan(values) if np.isnan(neutral) else values == neutral).all())


def flagged_share(layer: QualityLayer) -> float:
    """Share of a product's pixels, 0 to 1, that a quality layer flags; looked up in a sample.

    Raises:
        SceneError: If the layer cannot be read.
    """
    try:
        require_local(layer.path, "quality layer", SceneError)
        with quiet_gdal(layer.path), open_raster(layer.path) as file:
            shape = min(file.height, SAMPLE_PX), min(file.width, SAMPLE_PX)
            flags = file.read(layer.band, out_shape=shape)
            nodata, mask = file.nodata, find_mask(file)
            valid = True if mask is None else mask.valid(file, [layer.band], out_shape=shape)[0]
    except (RasterioError, IndexError) as error:
        raise SceneError(
            f"the quality layer '{layer.path}' cannot be read ({plain(error)})",
            hint="download or unpack the product again",
        ) from error
    inside = np.ones(flags.shape, bool) if nodata in (None, 0) else flags != nodata
    inside &= valid
    return round(float((flags[inside] != 0).mean()), 4) if inside.any() else 0.0
