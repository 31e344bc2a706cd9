"""The machine and the packages a job runs on, and what is missing."""

from __future__ import annotations

import importlib
import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from hsi_geo.io.files.gdal_options import REMOTE_DRIVERS
from hsi_geo.threads import yield_when_waiting

__all__ = ["Check", "checks", "drop_foreign_variables", "yield_when_waiting"]

#: Set by QGIS and other GIS programs, or by people for them, to change what GDAL, PROJ and HDF5 read,
#: where they look for tables, and which code they load; rasterio, pyogrio, pyproj and h5py bring
#: their own tables, and a map must not hang on such switches.
FOREIGN_VARIABLES = (
    *(
        "GDAL_",
        "OGR_",
        "OSR_",
        "CPL_",
        "VRT_",
        "VSI",
        "GTIFF_",
        "GML_",
        "KML_",
        "LIBKML_",
        "SHAPE_",
    ),
    *("PROJ_", "HDF5_", "JPEGMEM", "PYTHONSO", "SPATIALITE_SECURITY", "USE_RRD", "ECW_", "NITF_"),
)

#: Of these, what tells how to reach an address that people give themselves, how much memory and how
#: many threads there are, and where to write what goes wrong.
KEPT_VARIABLES = (
    *("GDAL_HTTP_", "GDAL_HTTPS_PROXY", "GDAL_PROXY_AUTH", "GDAL_CURL_CA_BUNDLE", "GDAL_CACHEMAX"),
    *("GDAL_NUM_THREADS", "CPL_VSIL_CURL_", "CPL_CURL_", "CPL_AWS_", "CPL_AZURE_", "CPL_GS_"),
    *("CPL_GCE_", "CPL_DEBUG", "CPL_LOG", "CPL_TMPDIR", "VSI_CACHE", "HDF5_USE_FILE_LOCKING"),
)

PACKAGES = (
    "torch",
    "torchgeo",
    "rasterio",
    "rioxarray",
    "xarray",
    "h5py",
    "h5netcdf",
    "geopandas",
    "scikit-learn",
)

#: Drivers that reading scenes and shots and writing maps cannot do without, and their use.
DRIVERS = {
    "GTiff": "GeoTIFF scenes and maps",
    "COG": "maps in cloud-optimised layout",
    "ENVI": "ENVI cubes",
    "VRT": "mosaics",
    "GPKG": "GeoPackage shots",
    "ESRI Shapefile": "Shapefile shots",
    "GeoJSON": "GeoJSON shots",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at.

    Attributes:
        name: Of the thing.
        ok: Whether it is as it should be.
        found: What is there.
        fix: What to do if it is not ok, else empty.
    """

    name: str
    ok: bool
    found: str
    fix: str = ""


def drop_foreign_variables() -> None:
    """Remove other programs' GDAL and PROJ settings; call before rasterio is imported.

    It also switches off GDAL's drivers for remote data. GDAL prints a warning for each of them that a
    build lacks, as older ones do. Such messages, which bypass Python, go to the null device, unless
    ``CPL_LOG`` or ``CPL_DEBUG`` is set.
    """
    for name in list(os.environ):
        if name.startswith(FOREIGN_VARIABLES) and not name.startswith(KEPT_VARIABLES):
            del os.environ[name]
    os.environ["GDAL_SKIP"] = ",".join(REMOTE_DRIVERS)
    if "CPL_DEBUG" not in os.environ:
        os.environ.setdefault("CPL_LOG", os.devnull)


def checks() -> list[Check]:
    """Look at everything that a job needs."""
    found = [
        Check("python", True, f"{platform.python_version()} on {platform.system()}"),
        _package("hsi-geo"),
        *(_package(name) for name in PACKAGES),
    ]
    if all(check.ok for check in found):
        found += [_device(), *_memory(), *_drivers(), _weights()]
    return found


def _package(name: str) -> Check:
    fix = f"pip install {name}"
    try:
        found = version(name)
    except PackageNotFoundError:
        return Check(name, False, "not installed", fix)
    module = {"scikit-learn": "sklearn", "hsi-geo": "hsi_geo"}.get(name, name)
    try:
        importlib.import_module(module)
    except ImportError as error:
        return Check(
            name, False, f"{found}, cannot be imported ({error})", f"{fix} --force-reinstall"
        )
    return Check(name, True, found)


def _device() -> Check:
    import torch

    threads = torch.get_num_threads()
    if torch.cuda.is_available():
        return Check("device", True, f"{torch.cuda.get_device_name()} and {threads} CPU threads")
    return Check("device", True, f"CPU, {threads} threads (no CUDA device)")


def _memory() -> list[Check]:
    """Of the machine; nothing where the system does not tell (Windows)."""
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names or "SC_AVPHYS_PAGES" not in names:
        return []
    page = os.sysconf("SC_PAGE_SIZE")
    total, free = (os.sysconf(name) * page / 2**30 for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    return [Check("memory", True, f"{total:.1f} GiB, {free:.1f} GiB free")]


def _drivers() -> list[Check]:
    import pyogrio
    import rasterio

    with rasterio.Env() as env:
        known = {*env.drivers(), *pyogrio.list_drivers()}
    fix = "pip install --force-reinstall rasterio pyogrio"
    found = [Check("GDAL", True, rasterio.__gdal_version__)]
    for name, use in DRIVERS.items():
        ok = name in known
        found.append(Check(f"driver {name}", ok, use if ok else "missing", "" if ok else fix))
    return found


def _weights() -> Check:
    from hsi_geo.errors import ModelFileError
    from hsi_geo.tasks.artifacts.weights import SHIPPED, load_weights

    try:
        steps = load_weights(SHIPPED).record["recipe"]["steps"]
    except ModelFileError as error:
        return Check("weights", False, error.message, "pip install --force-reinstall hsi-geo")
    return Check("weights", True, f"shipped, pre-trained for {steps} steps")
