"""Scenes that GDAL opens by itself: GeoTIFF, ENVI and the like."""

from __future__ import annotations

import atexit
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.windows
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from hsi_geo.errors import SceneError, SceneNotFoundError
from hsi_geo.io.readers.base import Array
from hsi_geo.tiling import Grid, Window
from hsi_geo.wavelengths import Bands, FloatArray, from_band_name, make_bands, to_nm

#: GDAL leaves `SCENE.properties` beside a compressed ENVI cube unless told not to, and keeps blocks
#: in memory up to a share of the machine's, which is gigabytes on a large one.
GDAL_OPTIONS = {"CPL_VSIL_GZIP_WRITE_PROPERTIES": "NO", "GDAL_CACHEMAX": 256 << 20}

Tags = dict[str, str]

#: Centres in nm, widths in nm if known, and where they were found.
Found = tuple[FloatArray, FloatArray | None, str]

#: Open files of this thread, by path, with the process that opened them. GDAL handles must be
#: shared neither between threads nor across a fork.
_handles = threading.local()


@dataclass(frozen=True, eq=False)
class RasterFile:
    """A scene in one file that rasterio reads; a `SceneFile`."""

    name: str
    grid: Grid
    found: Found | None
    good: npt.NDArray[np.bool_] | None
    band_count: int
    dtype: np.dtype[Any]
    nodata: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]
    driver: str
    stamp: tuple[int, int] = field(default=(0, 0))

    @property
    def bands(self) -> Bands | None:
        """Wavelengths; see `SceneFile.bands`. Made on demand: wrong ones can be overridden."""
        if self.found is None:
            return None
        centres, fwhm, origin = self.found
        return make_bands(centres, fwhm_nm=fwhm, good=self.good, source=origin)

    def read(self, bands: npt.NDArray[np.intp], window: Window) -> Array:
        """(B, height, width) stored values; see `SceneFile.read`.

        Raises:
            SceneError: If the file is damaged or cut short.
        """
        pixels = rasterio.windows.Window(window.col, window.row, window.width, window.height)
        try:
            with _quiet_gdal():
                handle = _open(self.name, self.stamp)
                return np.asarray(handle.read([int(band) + 1 for band in bands], window=pixels))
        except RasterioError as error:
            raise SceneError(
                f"scene '{self.name}' cannot be read at row {window.row}, column {window.col} "
                f"({_plain(error)})",
                hint="copy or download the file again",
            ) from error


def read_raster(path: str | os.PathLike[str]) -> RasterFile:
    """Open a raster and read all it tells about itself, once.

    Args:
        path: A file, or anything GDAL takes for one (`/vsicurl/...`).

    Returns:
        The scene, without its pixels.

    Raises:
        SceneNotFoundError: If there is no such file.
        SceneError: If it is no raster.
    """
    name = os.fspath(path)
    if not name.startswith("/vsi") and "://" not in name and not Path(name).exists():
        raise SceneNotFoundError(
            f"scene '{name}' does not exist", hint="check the path and its spelling"
        )
    try:
        with _quiet_gdal(), rasterio.open(name) as source:
            return _describe(source, name)
    except RasterioError as error:
        raise SceneError(
            f"scene '{name}' is not a raster that GDAL can open ({_plain(error)})",
            hint="give a GeoTIFF, or an ENVI cube with its .hdr beside it",
        ) from error


@contextmanager
def _quiet_gdal() -> Iterator[None]:
    """GDAL that leaves nothing beside the user's files; a scene may lack a geotransform."""
    with rasterio.Env(**GDAL_OPTIONS), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def _describe(source: rasterio.DatasetReader, name: str) -> RasterFile:
    if source.count == 0:
        raise SceneError(
            f"scene '{name}' holds {len(source.subdatasets)} subdatasets and no bands of its own",
            hint="give one of its subdatasets as gdalinfo lists them",
        )
    found, good = _find_bands(source)
    return RasterFile(
        name=name,
        grid=Grid(source.height, source.width, source.transform, _crs(source)),
        found=found,
        good=good,
        band_count=source.count,
        dtype=np.result_type(*source.dtypes),
        nodata=np.array([np.nan if v is None else v for v in source.nodatavals], np.float64),
        scale=np.array(source.scales, np.float64),
        offset=np.array(source.offsets, np.float64),
        driver=source.driver,
        stamp=_stamp(name),
    )


def _crs(source: rasterio.DatasetReader) -> CRS | None:
    if not source.crs:
        return None
    try:
        return CRS.from_wkt(source.crs.to_wkt())
    except CRSError as error:
        raise SceneError(
            f"scene '{source.name}' has a coordinate reference system that PROJ does not know "
            f"({_plain(error)})",
            hint="assign a known one with gdal_edit.py -a_srs",
        ) from error


def _stamp(name: str) -> tuple[int, int]:
    """(mtime in ns, size): a file written anew must not be read through an old handle."""
    path = Path(name)
    if not path.exists():
        return (0, 0)
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _open(name: str, stamp: tuple[int, int]) -> rasterio.DatasetReader:
    """The handle of this process and thread; only the latest few are kept open."""
    cache: dict[Any, rasterio.DatasetReader] = _handles.__dict__.setdefault("cache", {})
    key = (os.getpid(), name, stamp)
    if key not in cache:
        # Entries of another process came with the fork: forget them, closing them is its job.
        for old in [old for old in cache if old[0] != os.getpid()]:
            cache.pop(old)
        while len(cache) >= 8:
            cache.pop(next(iter(cache))).close()
        cache[key] = rasterio.open(name)
    return cache[key]


@atexit.register
def _close_all() -> None:
    """GDAL can no longer close files once the interpreter is half gone."""
    for key, handle in _handles.__dict__.pop("cache", {}).items():
        if key[0] == os.getpid():
            handle.close()


def _plain(error: BaseException) -> str:
    """The first line of a library's message, without its full stop."""
    lines = str(error.__cause__ or error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


# Wavelengths: each place a file may keep them, best first -------------------------------------


def _find_bands(
    source: rasterio.DatasetReader,
) -> tuple[Found | None, npt.NDArray[np.bool_] | None]:
    """The first complete list of centres among the places GDAL shows them in; bad bands."""
    # One pass over the bands: asking for tags again and again takes seconds on 426 bands.
    by_band = [source.tags(band) for band in source.indexes]
    imagery = [
        source.tags(band, ns="IMAGERY") if "IMAGERY" in source.tag_namespaces(band) else {}
        for band in source.indexes
    ]
    whole = {**source.tags(), **source.tags(ns="ENVI")}
    found = (
        _from_lists(whole, source.count)
        or _from_tags(by_band, whole)
        or _from_imagery(imagery)
        or _from_names([name or "" for name in source.descriptions])
    )
    return found, _good(whole, by_band)


def _from_lists(tags: Tags, count: int) -> Found | None:
    """Dataset-level lists such as ENVI's ``wavelength = {0.46, 0.465, ...}``."""
    tags = _lower(tags)
    centres = _numbers(tags.get("wavelength") or tags.get("wavelengths") or "")
    if len(centres) != count:
        return None
    unit = tags.get("wavelength_units") or tags.get("wavelength units")
    widths = _numbers(tags.get("fwhm", ""))
    fwhm = _widths_nm(widths, centres, unit) if len(widths) == count else None
    return to_nm(centres, unit), fwhm, "the header's wavelength list"


def _from_tags(by_band: list[Tags], whole: Tags) -> Found | None:
    """A ``wavelength`` tag on every band."""
    lowered = [_lower(tags) for tags in by_band]
    centres = _column(lowered, "wavelength")
    if centres is None:
        return None
    whole = _lower(whole)
    unit = lowered[0].get("wavelength_units") or lowered[0].get("wavelength units")
    unit = unit or whole.get("wavelength_units") or whole.get("wavelength units")
    widths = _column(lowered, "fwhm")
    fwhm = None if widths is None else _widths_nm(widths, centres, unit)
    return to_nm(centres, unit), fwhm, "the bands' wavelength tags"


def _from_imagery(by_band: list[Tags]) -> Found | None:
    """GDAL's IMAGERY domain, always in micrometres and rounded to one nanometre."""
    centres = _column(by_band, "CENTRAL_WAVELENGTH_UM")
    if centres is None:
        return None
    widths = _column(by_band, "FWHM_UM")
    return centres * 1e3, None if widths is None else widths * 1e3, "GDAL's IMAGERY tags"


def _from_names(names: list[str]) -> Found | None:
    centres = [from_band_name(name) for name in names]
    known = [centre for centre in centres if centre is not None]
    if len(known) < len(names):
        return None
    return np.array(known), None, "the band names"


def _widths_nm(widths: FloatArray, centres: FloatArray, unit: str | None) -> FloatArray:
    """Widths in nm: they share the unit of the centres, also where that had to be guessed."""
    ratio = np.ones_like(centres)  # a centre of 0 is refused later, with its band
    np.divide(to_nm(centres, unit), centres, out=ratio, where=centres != 0)
    return np.asarray(widths * ratio)


def _good(whole: Tags, by_band: list[Tags]) -> npt.NDArray[np.bool_] | None:
    """Bad-band lists: 1 is good, 0 is bad, missing is good."""
    listed = _numbers(_lower(whole).get("bbl", ""))
    if len(listed) == len(by_band):
        return np.asarray(listed != 0)
    values = [_lower(tags).get("bbl", "1") for tags in by_band]
    if all(value == "1" for value in values):
        return None
    return np.array([_number(value) != 0 for value in values])


def _lower(tags: Tags) -> Tags:
    return {key.lower(): value for key, value in tags.items()}


def _column(by_band: list[Tags], key: str) -> FloatArray | None:
    """One number a band, None unless every band has it."""
    values = [_number(tags.get(key, "")) for tags in by_band]
    return np.array(values) if values and all(np.isfinite(values)) else None


def _numbers(text: str) -> FloatArray:
    """The numbers in ``{1.0, 2.0, ...}``; empty if one of them is none."""
    values = np.array(
        [_number(word) for word in text.strip("{} \n\r\t").split(",") if word.strip()]
    )
    return values if np.isfinite(values).all() else np.empty(0)


def _number(text: str) -> float:
    try:
        return float(text.strip())
    except ValueError:
        return float("nan")
