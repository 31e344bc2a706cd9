"""Opening rasters with rasterio: safe options, drivers of files only, no files left behind."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

import rasterio
from rasterio.env import get_gdal_config, set_gdal_config
from rasterio.errors import NotGeoreferencedWarning

from hsi_geo.io.files.gdal_options import LOCAL_OPTIONS, REMOTE_DRIVERS, REMOTE_OPTIONS
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.references import is_link
from hsi_geo.io.files.s3_store import gdal_settings

#: GDAL writes `SCENE.properties` beside a compressed ENVI cube unless this is off.
_OPTIONS = {"CPL_VSIL_GZIP_WRITE_PROPERTIES": "NO"}

#: Bytes of GDAL's block cache, which may else take a share of the machine's memory: gigabytes on a large machine.
_CACHE_BYTES = 64 << 20

#: Most threads that unpack blocks of a file at once. Each takes the memory of a block.
_MOST_THREADS = 4

#: GDAL's name of each type of pixels, by numpy's name.
GDAL_TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "uint64": "UInt64",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
}

#: Drivers whose files may take pixels from other files; the last three by HDF5's external storage.
_REFERRING_DRIVERS = ("VRT", "MRF", "GTI", "HDF5", "HDF5Image", "netCDF")


class _OfProcess:
    """Keeps GDAL's block cache small, and its warning about rasters without a geotransform silent, while a thread is inside.

    Cache and filters of warnings are one for the whole process, so threads that overlap must not restore what the others
    found, as blocks of `rasterio.Env` and `warnings.catch_warnings` do.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.process, self.lock, self.inside, self.before = os.getpid(), Lock(), 0, 0
        self.filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        if (
            self.process != os.getpid()
        ):  # forked: its parent's threads are not in it, and may have held the lock
            self._begin()
        with self.lock:
            if not self.inside:
                self.before = get_gdal_config("GDAL_CACHEMAX")
                set_gdal_config("GDAL_CACHEMAX", _CACHE_BYTES)
                self.filters = warnings.catch_warnings()
                self.filters.__enter__()
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                set_gdal_config("GDAL_CACHEMAX", self.before)
                self.filters.__exit__(None, None, None)


_OF_PROCESS = _OfProcess()


@contextmanager
def quiet_gdal(name: str | os.PathLike[str] | None = None, block_bytes: int = 0) -> Iterator[None]:
    """Set GDAL's options for reading, and suppress its warning about rasters without a geotransform.

    Nothing is fetched from other machines, unless ``name`` is a URL. The process's environment variables
    have no effect on these options, but for the greatest number of threads (GDAL_NUM_THREADS).

    Args:
        name: Name of the file that is read, as the user gave it. None means a local file.
        block_bytes: See `unpacking_threads`.
    """
    is_remote = name is not None and is_link(os.fspath(name))
    options = {**REMOTE_OPTIONS, **gdal_settings()} if is_remote else {**LOCAL_OPTIONS}
    options["GDAL_NUM_THREADS"] = str(unpacking_threads(block_bytes))
    with _OF_PROCESS, rasterio.Env(**_OPTIONS, **options):
        yield


def unpacking_threads(block_bytes: int) -> int:
    """Number of threads that may unpack blocks of a file at once.

    Blocks that do not fit into GDAL's cache together would be dropped before they are used, and unpacked again and again.
    In a forked process it is 1.

    Args:
        block_bytes: Size of an unpacked block in bytes, with all bands; 0 if it is not known.
    """
    if _is_forked():
        return 1
    stated, cores = os.environ.get("GDAL_NUM_THREADS", ""), os.cpu_count() or 1
    most = int(stated) if stated.isdecimal() else min(_MOST_THREADS, cores)
    if stated == "ALL_CPUS":
        most = cores
    fitting = _CACHE_BYTES // (block_bytes + block_bytes // 8) if block_bytes else most
    return max(1, min(most, fitting))


def open_raster(path: str | os.PathLike[str]) -> rasterio.DatasetReader:
    """Open a raster inside `quiet_gdal`; local files only with drivers that read local files.

    Args:
        path: Path of a file, or a name that GDAL opens.

    Raises:
        rasterio.errors.RasterioError: If GDAL cannot open it.
    """
    name = os.fspath(path)
    if name.startswith("<VRTDataset"):  # a text of `remote_vrt`, whose names were checked
        return rasterio.DatasetReader(name, driver=["VRT"])
    if is_link(name):
        # A file on another machine must not make this one ask further machines.
        return rasterio.DatasetReader(name, driver=_local_drivers(True))
    if not exists(name) and not name.startswith("/vsi"):
        return rasterio.open(name)  # names of subdatasets
    return rasterio.DatasetReader(name, driver=_local_drivers(name.startswith("/vsi")))


def _is_forked() -> bool:
    """Whether this process was forked from one that read.

    GDAL keeps its threads for the whole process. A fork has none of them, and would wait for them for ever.
    """
    return _first_process() != os.getpid()


@cache
def _first_process() -> int:
    """The process that was the first one to read. Those that are forked from it inherit its number."""
    return os.getpid()


@cache
def _local_drivers(in_archive: bool) -> list[str]:
    """GDAL's drivers of local files. Files in archives must not name others."""
    left_out = {*REMOTE_DRIVERS, *(_REFERRING_DRIVERS if in_archive else ())}
    with rasterio.Env() as env:
        return [driver for driver in env.drivers() if driver not in left_out]
